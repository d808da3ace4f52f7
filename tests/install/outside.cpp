// The same in C++: a host whose resources are held by objects.
#include <oxbow.h>

#include <cstdio>
#include <memory>
#include <string>
#include <vector>

namespace {

struct Ender {
  void operator()(ox_VM *vm) const { ox_free(vm); }
};
using VM = std::unique_ptr<ox_VM, Ender>;

void collect(void *context, const char *bytes, size_t length) {
  static_cast<std::string *>(context)->append(bytes, length);
}

ox_Value sum(ox_VM *vm, void *context, int argc, const ox_Value *argv) {
  int64_t total = *static_cast<int64_t *>(context);
  for (int i = 0; i < argc; i++) total += ox_as_int(vm, argv[i]);
  return ox_int(vm, total);
}

}  // namespace

int main() {
  std::string printed;
  int64_t start = 30;
  ox_Config config = ox_config();
  config.write = collect;
  config.context = &printed;
  VM vm(ox_new(&config));
  if (!vm) return 1;
  ox_set(vm.get(), "sum", ox_function(vm.get(), "sum(...parts)", nullptr, sum, &start, nullptr));
  const std::string program = "print(sum(3, 4, 5))";
  ox_Status status = ox_eval(vm.get(), program.data(), program.size(), "outside", nullptr);
  if (status != OX_OK) std::fputs(ox_error(vm.get())->report, stderr);
  std::fputs(printed.c_str(), stdout);
  return status != OX_OK;
}
