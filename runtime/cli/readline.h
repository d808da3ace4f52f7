/* readline.h - the part of GNU readline that the prompt uses, found at run time. */
#ifndef OX_CLI_READLINE_H
#define OX_CLI_READLINE_H

#include <stdbool.h>
#include <stdio.h>

/* Functions that readline calls, and an entry of its history. */
typedef char *ReadlineNext(const char *word, int again);
typedef char **ReadlineComplete(const char *word, int start, int end);
typedef int ReadlineHook(void);
typedef int ReadlineKey(FILE *stream);
typedef struct ReadlineEntry {
  char *line, *timestamp;
  void *data;
} ReadlineEntry;

/* Functions of readline and its history, and the addresses of its variables, by their names. */
#define READLINE_NAMES(FUNCTION, VARIABLE)                                  \
  FUNCTION(char *, readline, (const char *prompt))                          \
  FUNCTION(int, rl_variable_bind, (const char *name, const char *value))    \
  FUNCTION(void, rl_replace_line, (const char *text, int clear_undo))       \
  FUNCTION(void, rl_check_signals, (void))                                  \
  FUNCTION(char **, rl_completion_matches, (const char *text, ReadlineNext *next)) \
  FUNCTION(void, using_history, (void))                                     \
  FUNCTION(void, add_history, (const char *line))                           \
  FUNCTION(ReadlineEntry *, history_get, (int offset))                      \
  FUNCTION(int, read_history, (const char *file))                           \
  FUNCTION(int, append_history, (int entries, const char *file))            \
  FUNCTION(int, history_truncate_file, (const char *file, int lines))       \
  VARIABLE(const char *, rl_readline_name)                                  \
  VARIABLE(ReadlineKey *, rl_getc_function)                                 \
  VARIABLE(ReadlineHook *, rl_pre_input_hook)                               \
  VARIABLE(const char *, rl_basic_word_break_characters)                    \
  VARIABLE(ReadlineComplete *, rl_attempted_completion_function)            \
  VARIABLE(int, rl_attempted_completion_over)                               \
  VARIABLE(int, rl_completion_append_character)                             \
  VARIABLE(char *, rl_line_buffer)                                          \
  VARIABLE(char, history_comment_char)                                      \
  VARIABLE(int, history_write_timestamps)                                   \
  VARIABLE(int, history_length)                                             \
  VARIABLE(int, history_base)

typedef struct Readline {
#define FUNCTION(type, name, parameters) type (*name) parameters;
#define VARIABLE(type, name) type *name;
  READLINE_NAMES(FUNCTION, VARIABLE)
#undef FUNCTION
#undef VARIABLE
} Readline;

/* Loads the library and fills in the table. False: it is not installed, or lacks something. */
bool readline_load(Readline *table);

#endif
