// server: a small HTTP server on the loopback interface that gives each request an interpreter of its
// own: a fork of one that was prepared once, the template. What a request changes is gone with it,
// and a request that runs wild is stopped; the template, and so the next request, is as it was.
//
//   server 8080     serves until it is killed: curl http://127.0.0.1:8080/add?a=1&b=2
//   server          serves on some port, asks itself five things and prints the answers
//
// One thread does it all: requests are short. Several threads would each have a template.
#include <arpa/inet.h>
#include <oxbow.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { CONNECTIONS = 256, REQUEST = 4096, ANSWER = 65536, FUEL = 1000000 };

static const char program[] =
    "import json\n"
    "let hits = 0\n"
    "let prices = {apple: 3, pear: 4}\n"
    "let page = []\n"
    "for i in 0..2000 { page.push(\"line ${i}\") }       # what is worth preparing once\n"
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
    "  match parts[0] {\n"
    "    \"/\" => return \"hits: ${hits}, ${len(page)} lines\"\n"
    "    \"/add\" => return \"${int(q[\"a\"]) + int(q[\"b\"])}\"\n"
    "    \"/prices\" => { prices[\"plum\"] = 5; return json.stringify(prices) }\n"
    "    \"/forever\" => { while true {} }\n"
    "    _ => throw error(\"there is no ${parts[0]}\")\n"
    "  }\n"
    "}\n";

typedef struct Server {
  ox_VM *template;
  ox_Value handle;
  int listener;
  struct pollfd polls[CONNECTIONS];
  int n;
  bool once; // ends when its connections have
} Server;

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static ox_VM *make_template(ox_Value *handle) {
  ox_Config config = ox_config();
  config.memory_limit = 32 << 20;
  config.capabilities = 0; // no files, no processes, no tasks
  config.fuel = FUEL;
  ox_VM *vm = ox_new(&config);
  if (!vm || ox_eval(vm, program, strlen(program), "server", NULL) != OX_OK ||
      ox_get(vm, "handle", handle) != OX_OK || !ox_pin(vm, *handle)) {
    fputs(vm ? ox_error(vm)->report : "no memory\n", stderr);
    exit(1);
  }
  ox_collect(vm);
  return vm;
}

// Calls the handler in a fork. Gives the status of HTTP, the text in `body`.
static int answer(Server *s, const char *target, char *body, size_t room) {
  ox_VM *vm;
  if (ox_fork(s->template, &vm) != OX_OK) return snprintf(body, room, "no memory\n"), 503;
  ox_Value argument = ox_text(vm, target), result;
  ox_Status status = ox_call(vm, s->handle, 1, &argument, &result);
  const char *text = status == OX_OK ? ox_as_string(vm, result, NULL) : ox_error(vm)->message;
  snprintf(body, room, "%s\n", text ? text : "");
  ox_free(vm);
  return status == OX_OK ? 200 : status == OX_THROWN ? 400 : 500;
}

static bool write_all(int fd, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t done = write(fd, bytes, n);
    if (done <= 0) return false;
    bytes += done;
    n -= (size_t)done;
  }
  return true;
}

// One request of a connection that has something to say. False: it is to be closed. (Requests that
// come in pieces are beyond this example.)
static bool serve(Server *s, int fd) {
  static char body[ANSWER], out[ANSWER + 256];
  char request[REQUEST + 1], target[REQUEST];
  ssize_t n = read(fd, request, REQUEST);
  if (n <= 0) return false;
  request[n] = 0;
  if (sscanf(request, "GET %4000s HTTP/1", target) != 1) return false;
  int status = answer(s, target, body, sizeof body);
  int length = snprintf(out, sizeof out,
                        "HTTP/1.1 %d %s\r\nContent-Type: text/plain\r\nContent-Length: %zu\r\n\r\n%s",
                        status, status == 200 ? "OK" : "Error", strlen(body), body);
  return write_all(fd, out, (size_t)length);
}

static void welcome(Server *s) {
  int fd = accept(s->listener, NULL, NULL);
  if (fd < 0) return;
  if (s->n == CONNECTIONS) close(fd);
  else s->polls[s->n++] = (struct pollfd){fd, POLLIN, 0};
}

static void *run(void *arg) {
  Server *s = arg;
  s->polls[0] = (struct pollfd){s->listener, POLLIN, 0};
  s->n = 1;
  for (bool met = false; !met || !s->once || s->n > 1;) {
    if (poll(s->polls, (nfds_t)s->n, -1) < 0) continue;
    for (int i = s->n; i-- > 1;) {
      if (!s->polls[i].revents || serve(s, s->polls[i].fd)) continue;
      close(s->polls[i].fd);
      s->polls[i] = s->polls[--s->n];
    }
    if (s->polls[0].revents) welcome(s), met = true;
  }
  return NULL;
}

static int listen_on(int port, struct sockaddr_in *at) {
  int fd = socket(AF_INET, SOCK_STREAM, 0), yes = 1;
  *at = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((uint16_t)port)};
  at->sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof *at;
  setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
  if (fd < 0 || bind(fd, (struct sockaddr *)at, size) < 0 || listen(fd, 128) < 0 ||
      getsockname(fd, (struct sockaddr *)at, &size) < 0)
    fail("server: cannot listen");
  return fd;
}

// A client of one connection: prints the body of each answer.
static void ask(const struct sockaddr_in *at, const char *const *targets) {
  int fd = socket(AF_INET, SOCK_STREAM, 0);
  if (fd < 0 || connect(fd, (const struct sockaddr *)at, sizeof *at) < 0) fail("connect");
  for (; *targets; targets++) {
    char text[ANSWER];
    int n = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: localhost\r\n\r\n", *targets);
    if (!write_all(fd, text, (size_t)n)) fail("write");
    ssize_t got = read(fd, text, sizeof text - 1); // short: it comes in one piece
    if (got <= 0) fail("read");
    text[got] = 0;
    const char *body = strstr(text, "\r\n\r\n");
    printf("%.3s %s", text + 9, body ? body + 4 : "?\n");
  }
  close(fd);
}

// prints: 200 hits: 1, 2000 lines
// prints: 200 42
// prints: 200 {"apple":3,"pear":4,"plum":5}
// prints: 500 the budget of 1000000 steps is used up
// prints: 400 there is no /nothing
// prints: 200 hits: 1, 2000 lines
int main(int argc, char **argv) {
  static const char *const targets[] = {"/", "/add?a=40&b=2", "/prices", "/forever", "/nothing", "/",
                                        NULL};
  static Server server;
  struct sockaddr_in at;
  server.template = make_template(&server.handle);
  server.listener = listen_on(argc > 1 ? atoi(argv[1]) : 0, &at);
  server.once = argc < 2;
  if (server.once) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, run, &server) != 0) fail("thread");
    ask(&at, targets);
    pthread_join(thread, NULL);
  } else {
    run(&server);
  }
  close(server.listener);
  ox_free(server.template);
}
