// tasks: an event loop in the host. Each program runs as a fiber of its own; when it calls sleep or
// fetch, only that fiber waits, and the host goes on with whoever is due next. Programs look as if
// they blocked. The clock here is a number, so that the output is always the same.
#include <oxbow.h>
#include <stdio.h>
#include <string.h>

enum { TASKS = 3 };

typedef struct Task {
  const char *name;
  ox_Value fiber;
  int64_t due;      // when to go on
  ox_Value answer;  // with what
  bool fails;       // the answer is an error, to be thrown where the task waits
} Task;

// What a task waits for goes to the loop as the value that ox_resume gives: how long, and for what.
static ox_Value wait_for(ox_VM *vm, int64_t ticks, ox_Value what) {
  ox_Value request[] = {ox_int(vm, ticks), what};
  return ox_suspend(vm, ox_list(vm, request, 2), ox_none());
}

static ox_Value do_sleep(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc;
  return wait_for(vm, ox_as_int(vm, argv[0]), ox_nil());
}

static ox_Value do_fetch(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  (void)context, (void)argc;
  return wait_for(vm, 3, argv[0]);  // every answer takes three ticks
}

// import net: the functions come as a module.
static ox_Status add_module(ox_VM *vm) {
  ox_Value net = ox_map(vm);
  ox_set_member(vm, net, "sleep", ox_function(vm, "sleep(ticks: int)", "Waits.", do_sleep, NULL, NULL));
  ox_set_member(vm, net, "fetch", ox_function(vm, "fetch(url: string)", "The text at an address.",
                                              do_fetch, NULL, NULL));
  return ox_module(vm, "net", net);
}

// Notes what a task that has just stopped is waiting for.
static void take_request(ox_VM *vm, Task *task, int64_t now, ox_Value request) {
  ox_Value ticks = ox_none(), what = ox_none();
  ox_index(vm, request, ox_int(vm, 0), &ticks);
  ox_index(vm, request, ox_int(vm, 1), &what);
  const char *url = ox_as_string(vm, what, NULL);
  task->due = now + ox_as_int(vm, ticks);
  task->fails = url && strstr(url, "missing");
  char text[64];
  snprintf(text, sizeof text, "<text of %s>", url ? url : "");
  if (task->fails) task->answer = ox_new_error(vm, "io", "%s: not found", url);
  else task->answer = url ? ox_text(vm, text) : ox_nil();
  ox_pin(vm, task->answer);  // it is kept across turns of the loop
}

static void go_on(ox_VM *vm, Task *task, int64_t now) {
  ox_Scope scope = ox_scope_open(vm);
  ox_Value request, answer = task->answer;
  ox_Status status = task->fails ? ox_resume_throwing(vm, task->fiber, answer, &request)
                                 : ox_resume(vm, task->fiber, answer, &request);
  ox_unpin(vm, answer);
  if (status != OX_OK) printf("%2d %s failed: %s\n", (int)now, task->name, ox_error(vm)->message);
  else if (ox_is_done(vm, task->fiber))
    printf("%2d %s gave %s\n", (int)now, task->name, ox_as_string(vm, ox_show(vm, request, true), NULL));
  else take_request(vm, task, now, request);
  ox_scope_close(vm, scope);
}

static const char *const programs[TASKS] = {
    "from net import sleep\n"
    "for i in 1..=3 { print(\"   tick\", i); sleep(2) }\n"
    "\"ticked\"",
    "import net\n"
    "[\"a.txt\", \"b.txt\"].map(net.fetch).map(len)",
    "from net import fetch\n"
    "let text = try { fetch(\"missing.txt\") } catch e { \"(${e.message})\" }\n"
    "print(\"   \" + text)\n"
    "fetch(\"missing.too\")",
};

int main(void) {
  ox_VM *vm = ox_new(NULL);
  if (!vm || add_module(vm) != OX_OK) return 1;
  Task tasks[TASKS] = {{.name = "clock"}, {.name = "reader"}, {.name = "loser"}};
  for (int i = 0; i < TASKS; i++) {
    ox_Value function;
    if (ox_compile(vm, programs[i], strlen(programs[i]), tasks[i].name, &function) != OX_OK) {
      fputs(ox_error(vm)->report, stderr);
      return 1;
    }
    tasks[i].fiber = ox_fiber(vm, function);
    tasks[i].answer = ox_nil();
  }
  for (int64_t now = 0; now < 20; now++)
    for (int i = 0; i < TASKS; i++)
      if (!ox_is_done(vm, tasks[i].fiber) && tasks[i].due == now) go_on(vm, &tasks[i], now);
  ox_free(vm);
  return 0;
}

// prints:    tick 1
// prints:    tick 2
// prints:    (missing.txt: not found)
// prints:    tick 3
// prints:  6 clock gave "ticked"
// prints:  6 reader gave [15, 15]
// prints:  6 loser failed: missing.too: not found
