// callbacks: a host that keeps functions of the program and calls them when something happens. What
// it keeps it pins; what it makes for a call lives in a scope.
#include <oxbow.h>
#include <stdio.h>
#include <string.h>

enum { MAX_HANDLERS = 8 };

typedef struct Events {
  ox_Value handlers[MAX_HANDLERS];
  int count;
} Events;

// on(handler): the program gives a closure to the host.
static ox_Value on(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  Events *events = context;
  (void)argc;
  if (events->count == MAX_HANDLERS) return ox_throw(vm, "limit", "there are too many handlers");
  if (!ox_pin(vm, argv[0])) return ox_none();
  events->handlers[events->count++] = argv[0];
  return ox_nil();
}

// Calls every handler; one that throws does not keep the others from running.
static void emit(ox_VM *vm, Events *events, const char *name, int64_t amount) {
  ox_Scope scope = ox_scope_open(vm);
  ox_Value args[] = {ox_text(vm, name), ox_int(vm, amount)};
  for (int i = 0; i < events->count; i++)
    if (ox_call(vm, events->handlers[i], 2, args, NULL) != OX_OK)
      printf("handler %d: %s\n", i, ox_error(vm)->message);
  ox_scope_close(vm, scope);
}

static const char program[] =
    "let total = 0\n"
    "on(fn(name, amount) { total += amount; print(\"${name}: ${total} in all\") })\n"
    "fn picky(limit) => fn(name, amount) {\n"
    "  if amount > limit { throw error(\"${amount} is too much\") }\n"
    "}\n"
    "on(picky(10))\n";

int main(void) {
  Events events = {.count = 0};
  ox_VM *vm = ox_new(NULL);
  if (!vm) return 1;
  ox_set(vm, "on", ox_function(vm, "on(handler: function)", "Calls handler(name, amount) for each event.",
                               on, &events, NULL));
  ox_Status status = ox_eval(vm, program, strlen(program), "program", NULL);
  if (status != OX_OK) fputs(ox_error(vm)->report, stderr);
  emit(vm, &events, "deposit", 5);
  ox_collect(vm);
  emit(vm, &events, "deposit", 50);
  for (int i = 0; i < events.count; i++) ox_unpin(vm, events.handlers[i]);
  ox_free(vm);
  return status != OX_OK;
}

// prints: deposit: 5 in all
// prints: deposit: 55 in all
// prints: handler 1: 50 is too much
