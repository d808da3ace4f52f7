/* image_protos.h - all functions of a heap that nobody vouches for. */
#ifndef OX_RUNTIME_IMAGE_PROTOS_H
#define OX_RUNTIME_IMAGE_PROTOS_H

#include "image_fibers.h"

/* Proves the code of all functions, the inner ones before those around them, that closures and
 * their frames have what their code uses, and that saved frames fit. */
const char *protos_check(const Owners *o, const Places *places, uint64_t *where);

#endif
