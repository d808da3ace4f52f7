/* std.c - the modules that are written in Oxbow (lib/std/NAME.oxb): what is known of them without
 * compiling them. Their texts travel inside the library, made from those files by
 * runtime/mk/library.sh. tests/lang/stdlib/written holds each signature against the module. */
#include "registry.h"

extern const char std_args_text[], std_csv_text[], std_iter_text[], std_queue_text[],
    std_text_text[];

#define MEMBER(name, sig, doc) {name, sig, doc, DEF_MEMBER, NULL, 0, NULL, 0}
#define COUNT(defs) ((int)(sizeof(defs) / sizeof *(defs)))

static const NativeDef args_defs[] = {
    MEMBER("parse", "parse(options, argv = nil) -> map",
           "The options and other words of a command line, os.args if none is given. `options` has "
           "\"name\" or \"name|n\" for each option, with its default: false for one that is given or "
           "not, a number, text or nil for one with a value (--name VALUE, --name=VALUE, -n VALUE, "
           "-nVALUE), a list for one that may come several times. The map has a value for each "
           "name, and the other words under `rest`; all behind `--` are such. Throws for what "
           "cannot be understood."),
    MEMBER("usage", "usage(options, help = {}) -> string",
           "A line for each option, with its text from the map `help`."),
};
const ModuleDef module_args = {
    "args", "Options of a command.", args_defs, COUNT(args_defs), -1, NULL};

static const NativeDef csv_defs[] = {
    MEMBER("parse", "parse(text, separator = \",\", heading = false) -> list",
           "The rows of a table as lists of texts, or with a heading as maps from the names in its "
           "first row. Fields may be quoted, as in RFC 4180; throws, naming the line, for a quote "
           "without end, and for rows that do not fit the heading."),
    MEMBER("stringify", "stringify(rows, separator = \",\") -> string",
           "The text of a table of lists, or of maps, under a heading of the first one's keys. "
           "Fields are quoted where they must be; nil is an empty one."),
};
const ModuleDef module_csv = {
    "csv", "Tables as text, with commas or other separators.", csv_defs, COUNT(csv_defs), -1, NULL};

static const NativeDef iter_defs[] = {
    MEMBER("count", "count(start = 0, step = 1) -> fiber", "start, start + step, ... without end."),
    MEMBER("cycle", "cycle(xs) -> fiber", "The elements again and again."),
    MEMBER("take", "take(xs, n) -> fiber", "The first n elements; asks for no more."),
    MEMBER("drop", "drop(xs, n) -> fiber", "All but the first n elements."),
    MEMBER("take_while", "take_while(xs, f) -> fiber", "The elements before the first without f(x)."),
    MEMBER("chain", "chain(...sequences) -> fiber", "The elements of each, one sequence after another."),
    MEMBER("scan", "scan(xs, f, init) -> fiber",
           "f(init, x0), f of that and x1, and so on: what reduce goes through."),
    MEMBER("windows", "windows(xs, n) -> fiber", "Lists of n neighbours, from each place on."),
    MEMBER("product", "product(...sequences) -> fiber",
           "Lists with an element of each, in all ways; the last turns fastest."),
    MEMBER("combinations", "combinations(xs, n) -> fiber", "Lists of n of the elements, in their order."),
    MEMBER("permutations", "permutations(xs, n = nil) -> fiber",
           "Lists of n of the elements, or of all, in each order."),
};
const ModuleDef module_iter = {
    "iter", "Sequences made of others, an element at a time.", iter_defs, COUNT(iter_defs), -1,
    NULL};

static const NativeDef queue_defs[] = {
    MEMBER("Heap", "Heap(xs = [], key = nil)",
           "A class: what is smallest, by value or by key(x), comes out first. push(x), pop() and "
           "peek() take and give one, len(h) counts; equal ones come in no certain order."),
    MEMBER("Deque", "Deque(xs = [])",
           "A class: a list with two ends that cost the same. push(x), pop(), push_first(x), "
           "pop_first(), d[i], len(d), loops."),
};
const ModuleDef module_queue = {
    "queue", "Collections that give back in another order, or at both ends.", queue_defs,
    COUNT(queue_defs), -1, NULL};

static const NativeDef text_defs[] = {
    MEMBER("wrap", "wrap(s, width = 80, indent = \"\") -> string",
           "The paragraphs of a text in lines of at most so many characters, longer words alone. "
           "Blank lines part paragraphs."),
    MEMBER("dedent", "dedent(s) -> string", "The lines without the blanks that all of them begin with."),
    MEMBER("indent", "indent(s, prefix = \"  \") -> string", "The prefix before each line that is not blank."),
    MEMBER("truncate", "truncate(s, width, end = \"...\") -> string",
           "The text, or so much of it that it fits with `end` behind it."),
    MEMBER("table", "table(rows, heading = nil, gap = \"  \") -> string",
           "Rows in columns, numbers to the right, under a heading."),
};
const ModuleDef module_text = {
    "text", "Paragraphs and columns.", text_defs, COUNT(text_defs), -1, NULL};

const char *native_written_text(int table) {
  const struct {
    const ModuleDef *module;
    const char *text;
  } written[] = {{&module_args, std_args_text},
                 {&module_csv, std_csv_text},
                 {&module_iter, std_iter_text},
                 {&module_queue, std_queue_text},
                 {&module_text, std_text_text}};
  for (size_t i = 0; i < sizeof written / sizeof *written; i++)
    if (written[i].module == native_tables[table]) return written[i].text;
  return NULL;
}
