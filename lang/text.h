/* A piece of UTF-8 text that someone else owns. */
#ifndef OX_LANG_TEXT_H
#define OX_LANG_TEXT_H

#include <stdint.h>

typedef struct Text {
  const char *chars; /* may contain NUL bytes; not NUL-terminated */
  uint32_t len;
} Text;

#endif
