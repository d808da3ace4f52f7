/* server HOW: a small HTTP server on the loopback interface, to compare ways of giving each request an interpreter
 * of its own. It prints its port, then serves until it is killed. One thread does it all.
 *
 *   fork      a fork of a warmed interpreter for each request, as in examples/embed/server.c
 *   process   fork() of the process for each request, with the same interpreter in it
 *   new       a new Lua state for each request, which loads the same program from bytecode
 *   pool      one Lua state for all requests: no isolation, the least that can be done */
#include <arpa/inet.h>
#include <oxbow.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#ifdef HAVE_LUA
#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#endif

enum { CONNECTIONS = 256, REQUEST = 4096, ANSWER = 8192 };

static const char oxbow_program[] =
    "let hits = 0\n"
    "let page = []\n"
    "for i in 0..2000 { page.push(\"line ${i}\") }\n"
    "fn query(text) {\n"
    "  let found = {}\n"
    "  for part in text.split(\"&\") {\n"
    "    let pair = part.split(\"=\")\n"
    "    if len(pair) == 2 { found[pair[0]] = pair[1] }\n"
    "  }\n"
    "  return found\n"
    "}\n"
    "fn handle(target) {\n"
    "  hits += 1\n"
    "  let parts = target.split(\"?\")\n"
    "  let q = query(if len(parts) > 1 { parts[1] } else { \"\" })\n"
    "  return \"${int(q[\"a\"]) + int(q[\"b\"])}, hits: ${hits}, ${len(page)} lines\"\n"
    "}\n";

typedef struct Server Server;
struct Server {
  void (*answer)(Server *s, const char *target, char *body, size_t room);
  bool processes;
  ox_VM *vm;
  ox_Value handle;
#ifdef HAVE_LUA
  lua_State *lua;
  char *code; /* bytecode of the program */
  size_t code_bytes;
#endif
};

static void fail(const char *what) {
  fprintf(stderr, "server: %s\n", what);
  exit(1);
}

/* ---- Oxbow ------------------------------------------------------------------------------------ */

static void prepare_oxbow(Server *s) {
  s->vm = ox_new(NULL);
  if (!s->vm || ox_eval(s->vm, oxbow_program, sizeof oxbow_program - 1, "server", NULL) != OX_OK ||
      ox_get(s->vm, "handle", &s->handle) != OX_OK || !ox_pin(s->vm, s->handle))
    fail(s->vm ? ox_error(s->vm)->report : "no memory");
  ox_collect(s->vm);
}

static void call_oxbow(const Server *s, ox_VM *vm, const char *target, char *body, size_t room) {
  ox_Value argument = ox_text(vm, target), result;
  ox_Status status = ox_call(vm, s->handle, 1, &argument, &result);
  const char *text = status == OX_OK ? ox_as_string(vm, result, NULL) : ox_error(vm)->message;
  snprintf(body, room, "%s\n", text ? text : "");
}

static void answer_fork(Server *s, const char *target, char *body, size_t room) {
  ox_VM *vm;
  if (ox_fork(s->vm, &vm) != OX_OK) fail("no memory");
  call_oxbow(s, vm, target, body, room);
  ox_free(vm);
}

static void answer_process(Server *s, const char *target, char *body, size_t room) {
  call_oxbow(s, s->vm, target, body, room);
}

/* ---- Lua -------------------------------------------------------------------------------------- */

#ifdef HAVE_LUA
static const char lua_program[] =
    "local hits = 0\n"
    "local page = {}\n"
    "for i = 0, 1999 do page[#page + 1] = 'line ' .. i end\n"
    "local function query(text)\n"
    "  local found = {}\n"
    "  for name, value in text:gmatch('([^&=]*)=([^&]*)') do found[name] = value end\n"
    "  return found\n"
    "end\n"
    "return function(target)\n"
    "  hits = hits + 1\n"
    "  local q = query(target:match('%?(.*)') or '')\n"
    "  return (q.a + q.b) .. ', hits: ' .. hits .. ', ' .. #page .. ' lines'\n"
    "end\n";

static int keep_code(lua_State *l, const void *piece, size_t bytes, void *ctx) {
  Server *s = ctx;
  (void)l;
  s->code = realloc(s->code, s->code_bytes + bytes);
  if (!s->code) fail("no memory");
  memcpy(s->code + s->code_bytes, piece, bytes);
  s->code_bytes += bytes;
  return 0;
}

static lua_State *new_lua(const Server *s) {
  lua_State *l = luaL_newstate();
  if (!l) fail("no memory");
  luaL_openlibs(l);
  if (luaL_loadbuffer(l, s->code, s->code_bytes, "server") || lua_pcall(l, 0, 1, 0))
    fail(lua_tostring(l, -1));
  return l;
}

static void prepare_lua(Server *s) {
  lua_State *l = luaL_newstate();
  if (!l || luaL_loadstring(l, lua_program) || lua_dump(l, keep_code, s, 1)) fail("no program");
  lua_close(l);
  s->lua = new_lua(s);
}

static void call_lua(lua_State *l, const char *target, char *body, size_t room) {
  lua_pushvalue(l, 1);
  lua_pushstring(l, target);
  lua_pcall(l, 1, 1, 0);
  snprintf(body, room, "%s\n", lua_tostring(l, -1));
  lua_settop(l, 1);
}

static void answer_pool(Server *s, const char *target, char *body, size_t room) {
  call_lua(s->lua, target, body, room);
}

static void answer_new(Server *s, const char *target, char *body, size_t room) {
  lua_State *l = new_lua(s);
  call_lua(l, target, body, room);
  lua_close(l);
}
#endif

static bool choose(Server *s, const char *how) {
  if (!strcmp(how, "fork")) return prepare_oxbow(s), s->answer = answer_fork, true;
  s->processes = !strcmp(how, "process");
  if (s->processes) return prepare_oxbow(s), s->answer = answer_process, true;
#ifdef HAVE_LUA
  if (!strcmp(how, "new")) return prepare_lua(s), s->answer = answer_new, true;
  if (!strcmp(how, "pool")) return prepare_lua(s), s->answer = answer_pool, true;
#endif
  return false;
}

/* ---- HTTP ------------------------------------------------------------------------------------- */

static bool respond(Server *s, int fd, const char *target) {
  char body[ANSWER / 2], out[ANSWER];
  s->answer(s, target, body, sizeof body);
  int n = snprintf(out, sizeof out,
                   "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                   strlen(body), body);
  return write(fd, out, (size_t)n) == n;
}

static bool respond_in_process(Server *s, int fd, const char *target) {
  int status;
  pid_t child = fork();
  if (child == 0) _exit(respond(s, fd, target) ? 0 : 1);
  return child > 0 && waitpid(child, &status, 0) == child && status == 0;
}

/* False: the connection is over. Requests come in one piece. */
static bool serve(Server *s, int fd) {
  char request[REQUEST + 1], target[REQUEST];
  ssize_t n = read(fd, request, REQUEST);
  if (n <= 0) return false;
  request[n] = 0;
  if (sscanf(request, "GET %4000s HTTP/1", target) != 1) return false;
  return s->processes ? respond_in_process(s, fd, target) : respond(s, fd, target);
}

static int listen_somewhere(void) {
  struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t size = sizeof at;
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || bind(fd, (struct sockaddr *)&at, size) < 0 || listen(fd, 128) < 0 ||
      getsockname(fd, (struct sockaddr *)&at, &size) < 0)
    fail("cannot listen");
  printf("%d\n", ntohs(at.sin_port));
  fflush(stdout);
  return fd;
}

int main(int argc, char **argv) {
  Server server = {0};
  struct pollfd polls[CONNECTIONS];
  int n = 1;
  signal(SIGPIPE, SIG_IGN);
  if (argc < 2 || !choose(&server, argv[1])) fail("fork, process, or, with Lua, new or pool");
  polls[0] = (struct pollfd){listen_somewhere(), POLLIN, 0};
  while (poll(polls, (nfds_t)n, -1) >= 0) {
    for (int i = n; i-- > 1;) {
      if (!polls[i].revents || serve(&server, polls[i].fd)) continue;
      close(polls[i].fd);
      polls[i] = polls[--n];
    }
    if (!polls[0].revents) continue;
    int fd = accept(polls[0].fd, NULL, NULL);
    if (fd >= 0 && n == CONNECTIONS) close(fd);
    else if (fd >= 0) polls[n++] = (struct pollfd){fd, POLLIN, 0};
  }
}
