/* readline.c - the `oxbow` command: finding GNU readline.
 *
 * The library is loaded when a prompt is about to be shown, and not before: linked in, it would
 * make every start of a script slower by a sixth and bigger by 400 KiB. So the command needs
 * neither readline's header to be built nor the library to run. What it uses is declared in
 * readline.h, and has been the same in all versions 8.
 *
 * readline is under the GNU General Public License. Only the process of the command ever loads it;
 * the library liboxbow, and what embeds it, never do. */
#include "readline.h"

#include <dlfcn.h>
#include <string.h>

/* Copies the address of a symbol into a pointer of whatever type. */
static bool find(void *library, const char *name, void *pointer) {
  void *symbol = dlsym(library, name);
  memcpy(pointer, &symbol, sizeof symbol);
  return symbol != NULL;
}

bool readline_load(Readline *table) {
  void *library = dlopen("libreadline.so.8", RTLD_NOW | RTLD_LOCAL);
  if (!library) return false;
#define FIND(name) find(library, #name, &table->name) &&
#define FIND_FUNCTION(type, name, parameters) FIND(name)
#define FIND_VARIABLE(type, name) FIND(name)
  return READLINE_NAMES(FIND_FUNCTION, FIND_VARIABLE) true;
}
