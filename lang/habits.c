/* habits.c - what people who come from Python, JavaScript, Lua or C write first. */
#include "habits.h"

#include <stddef.h>
#include <string.h>

static const char *const habits[][2] = {
    {"null", "write 'nil'"},
    {"None", "write 'nil'"},
    {"NULL", "write 'nil'"},
    {"none", "write 'nil'"},
    {"undefined", "write 'nil'"},
    {"True", "write 'true'"},
    {"TRUE", "write 'true'"},
    {"False", "write 'false'"},
    {"FALSE", "write 'false'"},
    {"NaN", "did you mean 'nan' of the module math?"},
    {"this", "the receiver is called 'self'"},
    {"println", "did you mean 'print'?"},
    {"printf", "did you mean 'print'?"},
    {"echo", "did you mean 'print'?"},
    {"puts", "did you mean 'print'?"},
    {"console", "did you mean 'print'?"},
    {"input", "import io, and call io.read_line(prompt)"},
    {"open", "import fs, and call fs.read(path), fs.lines(path) or fs.open(path)"},
    {"require", "write `import name`"},
    {"include", "write `import name`"},
    {"using", "write `import name`"},
    {"isinstance", "write `x is int` or `x is Point`"},
    {"typeof", "write type(x), or `x is string`"},
    {"instanceof", "write `x is Point`"},
    {"parseInt", "int(text) reads a number"},
    {"parseFloat", "float(text) reads a number"},
    {"function", "functions begin with 'fn'"},
    {"def", "functions begin with 'fn'"},
    {"func", "functions begin with 'fn'"},
    {"lambda", "a small function is written `fn(x) => x + 1`"},
    {"var", "declare variables with 'let'"},
    {"local", "declare variables with 'let'"},
    {"global", "a function may assign what is declared outside of it: leave `global` away"},
    {"nonlocal", "a function may assign what is declared outside of it: leave `nonlocal` away"},
    {"auto", "declare variables with 'let'"},
    {"elif", "write 'else if'"},
    {"elsif", "write 'else if'"},
    {"elseif", "write 'else if'"},
    {"switch", "write `match x { 1 => ... }`"},
    {"case", "write `match x { 1 => ... }`"},
    {"until", "write `while not ...`"},
    {"unless", "write `if not ...`"},
    {"foreach", "write `for x in xs`"},
    {"loop", "write `while true { ... if done { break } }`"},
    {"begin", "a block stands in braces: { ... }"},
    {"end", "a block ends with `}`"},
    {"repeat", "write `while true { ... if done { break } }`"},
    {"do", "write `while true { ... if done { break } }`"},
    {"pass", "an empty block is { }"},
    {"raise", "write `throw error(\"...\")`"},
    {"except", "write `catch e { ... }`"},
    {"with", "write `defer file.close()` behind the line that opens it"},
    {"del", "an entry is removed by m.remove(key) or xs.remove(index)"},
    {"delete", "an entry is removed by m.remove(key) or xs.remove(index)"},
    {"assert", "assert is a function: assert(x == 1)"},
    {"new", "an instance is made by calling its class: Point(1, 2)"},
    {"async", "any function can wait: see fibers, `fiber(f)` and `yield`"},
    {"await", "any function can wait: see fibers, `fiber(f)` and `yield`"},
    {"dict", "a map is written {key: value}"},
    {"tuple", "a list does: [a, b]"},
    {"callable", "write `x is function`"},
    {"hex", "\"{:x}\".format(n) shows a number so"},
    {"oct", "\"{:o}\".format(n) shows a number so"},
    {"bin", "\"{:b}\".format(n) shows a number so"},
    {"divmod", "write [a // b, a % b]"},
    {"iter", "`for x in xs` needs none; fiber(f) makes what f.next() steps through"},
    {"next", "f.next() resumes a fiber; `for x in xs` goes through the rest"},
    {"eval", "a program cannot run text; `import` runs files"},
    {"exec", "a program cannot run text; `import` runs files"},
    {"Exception", "throw error(\"...\"), or any other value"},
    {"ValueError", "throw error(\"...\"), or any other value"},
    {"TypeError", "throw error(\"...\"), or any other value"},
    {"RuntimeError", "throw error(\"...\"), or any other value"},
    {"Error", "throw error(\"...\"), or any other value"},
    {"clear", "Ctrl-L clears the screen"},
    {"cls", "Ctrl-L clears the screen"},
    {"exit", "import os, and call os.exit(code)"},
    {"quit", "import os, and call os.exit(code)"},
    {"pairs", "write `for key, value in map`"},
    {"ipairs", "write `for index, value in enumerate(list)`"},
};

/* Called like functions; some are modules, which are used otherwise. */
static const char *const call_habits[][2] = {
    {"list", "write [...xs] to make a list of what can be iterated"},
    {"set", "import set, and call set.new(xs)"},
    {"string", "str(x) makes a string of any value"},
    {"dir", "`?name` tells what is known of a name; Tab behind `x.` lists its members"},
};

/* Methods of strings that have no counterpart of one name. */
static const char *const member_habits[][2] = {
    {"isdigit", "regex.full_match(\"[0-9]+\", text)"},
    {"isnumeric", "regex.full_match(\"[0-9]+\", text)"},
    {"isalpha", "regex.full_match(\"[A-Za-z]+\", text)"},
    {"isalnum", "regex.full_match(\"[A-Za-z0-9]+\", text)"},
    {"isspace", "text.trim() == \"\""},
    {"isupper", "text == text.upper()"},
    {"islower", "text == text.lower()"},
    {"charAt", "text[i]"},
    {"substring", "text[from..to]"},
    {"substr", "text[from..to]"},
    {"slice", "xs[from..to]"},
    {"center", "pad_start and pad_end"},
};

static const char *find(const char *const (*rows)[2], size_t count, const char *word) {
  for (size_t i = 0; i < count; i++)
    if (strcmp(word, rows[i][0]) == 0) return rows[i][1];
  return NULL;
}

const char *habit_of_word(const char *word) {
  return find(habits, sizeof habits / sizeof *habits, word);
}

const char *habit_of_member(const char *word) {
  return find(member_habits, sizeof member_habits / sizeof *member_habits, word);
}

const char *habit_of_call(const char *word) {
  const char *habit = find(call_habits, sizeof call_habits / sizeof *call_habits, word);
  return habit ? habit : habit_of_word(word);
}
