// thousand: a thousand programs in one process, each in a VM of its own. They share nothing: each
// has its own globals, heap and limits, and one that fails or runs wild does not disturb the
// others. The host carries a message round the ring from one to the next.
#include <oxbow.h>
#include <stdio.h>
#include <string.h>

enum { VMS = 1000, ROUNDS = 2 };

static const char program[] =
    "let seen = []\n"
    "fn receive(message) {\n"
    "  seen.push(message)\n"
    "  if number == 500 and seen.len() == 2 { while true {} }    # this one goes mad\n"
    "  return message + number\n"
    "}\n";

static int failed(ox_VM *vm) {
  fputs(ox_error(vm)->report, stderr);
  return 1;
}

// Little memory is committed until a program needs it; what is set here are bounds.
static ox_VM *make_member(int number) {
  ox_Config config = ox_config();
  config.address_space = 64 << 20;
  config.memory_limit = 4 << 20;
  ox_VM *vm = ox_new(&config);
  if (!vm) return NULL;
  if (ox_set(vm, "number", ox_int(vm, number)) == OX_OK &&
      ox_eval(vm, program, strlen(program), "program", NULL) == OX_OK)
    return vm;
  failed(vm);
  ox_free(vm);
  return NULL;
}

// Values belong to one VM: what goes from one to the next is a plain number. The scope lets the
// VM forget what this call made.
static ox_Status deliver(ox_VM *vm, int64_t *message) {
  ox_Scope scope = ox_scope_open(vm);
  ox_Value receive, argument = ox_int(vm, *message), answer;
  ox_set_fuel(vm, 10000);
  ox_Status status = ox_get(vm, "receive", &receive);
  if (status == OX_OK) status = ox_call(vm, receive, 1, &argument, &answer);
  if (status == OX_OK) *message = ox_as_int(vm, answer);
  ox_scope_close(vm, scope);
  return status;
}

static int64_t go_round(ox_VM *const *vms, int64_t message) {
  for (int i = 0; i < VMS; i++) {
    ox_Status status = deliver(vms[i], &message);
    if (status == OX_NO_FUEL) printf("number %d ran too long and is left out\n", i);
    else if (status != OX_OK) failed(vms[i]);
  }
  return message;
}

int main(void) {
  static ox_VM *vms[VMS];
  int made = 0;
  while (made < VMS && (vms[made] = make_member(made))) made++;
  printf("%d programs are ready\n", made);
  int64_t message = 0;
  for (int round = 1; round <= ROUNDS && made == VMS; round++) {
    message = go_round(vms, message);
    printf("after round %d the message is %lld\n", round, (long long)message);
  }
  for (int i = 0; i < made; i++) ox_free(vms[i]);
  return made < VMS;
}

// prints: 1000 programs are ready
// prints: after round 1 the message is 499500
// prints: number 500 ran too long and is left out
// prints: after round 2 the message is 998500
