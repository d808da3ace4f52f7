/* cli.h - the parts of the `oxbow` command. It uses nothing but oxbow.h. */
#ifndef OX_CLI_H
#define OX_CLI_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include "oxbow.h"

/* Exit statuses; 128 + 2 is what shells show for a command that Ctrl-C ended. */
enum { EXIT_OK = 0, EXIT_UNCAUGHT = 1, EXIT_USAGE = 2, EXIT_SYNTAX = 65, EXIT_INTERRUPTED = 130 };

typedef struct Options {
  bool check, interactive, disassemble;
  bool ended;          /* by `--` */
  bool test, verbose;  /* `oxbow test`: argv are files and folders */
  const char *filter;  /* NULL: all tests */
  const char **codes; /* the texts of -e */
  int ncodes;
  const char *file;   /* NULL: none; "-": standard input */
  int argc;           /* arguments of the program */
  char **argv;
  const char *image, *save_image, *verify_image; /* files; NULL: none */
  const char *library; /* the image of the standard library; NULL: found, "": none */
  const char *make_library;
  uint64_t max_memory, memory_goal, fuel;
  ox_GcMode gc_mode;
  bool snapshot_stress;
  uint64_t gc_stress_seed; /* collect at random; 0: no */
  bool gc_stress, verify; /* for tests: collect always; check the heap at the end */
} Options;

/* ---- main.c ---- */
/* Stops the VM at Ctrl-C, from now until `interrupts_end`. A second Ctrl-C, where the first had no
 * effect, ends the process. */
void interrupts_begin(ox_VM *vm);
void interrupts_end(void);
/* At a prompt, Ctrl-C never ends the process; where nothing runs it is noted. */
void interrupts_keep_session(bool keep);
void interrupts_catch(void);   /* installs the handler again */
bool interrupts_waiting(void); /* one has been noted */
bool interrupts_take(void);    /* the same, and forgets it */

/* ---- options.c ---- */
/* -1: all is well, else the exit status. */
int options_read(Options *o, int argc, char **argv);
/* The name that `name` is likely to be meant for, or NULL. */
const char *nearest_name(const char *name, const char *const *names, size_t count);

/* ---- run.c ---- */
/* Runs what the options name; gives the exit status. */
int run_command(const Options *options);
/* Shows the last failure on standard error and gives its exit status. */
int report_failure(ox_VM *vm, ox_Status status);
/* The bytes of a file of source text, "-" being standard input, from malloc and NUL-terminated.
 * NULL: standard error says why not. */
char *read_source(const char *path, size_t *length);
/* A VM, with less address space where the system has no more. NULL: standard error says why not. */
ox_VM *make_vm(const Options *options, const ox_Config *config);
/* The configuration of a VM that the options ask for. */
ox_Config run_config(const Options *options);
/* Whether a stream is a terminal that should show colours. */
bool wants_colour(int fd);

/* ---- test.c ---- */
/* Runs the tests in the files and folders that the options name; gives the exit status. */
int test_command(const Options *options);

/* Saves the session, and says where and how much, or on standard error why not. */
bool save_image(ox_VM *vm, const char *path);

/* ---- library.c ---- */
/* A VM that begins with the image of the standard library. NULL: there is none to be used. */
ox_VM *library_open(const Options *options, const ox_Config *config);
/* The image's path, in `path` unless the options name it; NULL: there is none. */
const char *library_find(const Options *options, char *path, size_t room);
/* Makes the image, for the build; gives the exit status. */
int library_make(const char *path);

/* ---- repl.c ---- */
/* Reads, evaluates and prints until the input ends. Gives the exit status. */
int repl_run(ox_VM *vm);

/* ---- timeline.c ---- */
typedef struct Timeline Timeline;
Timeline *timeline_new(ox_VM *vm); /* NULL: no memory */
void timeline_free(Timeline *t);
/* A piece of input begins; then one of three: it stays, what it did is undone, or it did nothing. */
void timeline_open(Timeline *t);
void timeline_keep(Timeline *t);
void timeline_undo_piece(Timeline *t);
void timeline_cancel(Timeline *t);
/* The commands :undo, :redo, :snap, :back, :branches, :diff, with their arguments. */
void timeline_diff(Timeline *t, const char *names);
void timeline_undo(Timeline *t, const char *count);
void timeline_redo(Timeline *t, const char *count);
void timeline_name(Timeline *t, const char *name);
void timeline_back(Timeline *t, const char *name);
void timeline_branches(const Timeline *t);

/* ---- show.c ---- */
/* A value as the prompt shows it, in limits, from malloc. NULL: ox_error says why not. */
char *show_for_people(ox_VM *vm, ox_Value value, size_t *length);

/* ---- line.c ---- */
/* A line of input without its end, or several where they were pasted, from malloc; NULL at the
 * end of input. `*cancelled` is set when Ctrl-C gave the line up. Without readline, or where input
 * is no terminal, plain lines. */
char *line_read(const char *prompt, bool *cancelled);
void line_begin(ox_VM *vm); /* history and completion */
/* Words that Tab completes behind a colon, ended by NULL. */
extern const char *const repl_commands[];
void line_remember(const char *text);   /* one entry, which may have several lines */
void line_end(void);
bool line_is_interactive(void);

#endif
