/* image.h - a VM as a file. docs/snapshots.md says what an image holds. */
#ifndef OX_RUNTIME_IMAGE_H
#define OX_RUNTIME_IMAGE_H

#include "../gc/image.h"
#include "run.h"

enum { IMAGE_WORD_CAPABILITIES }; /* places in ImageHeader.words */

/* Saves a VM in which no program runs. The notes are the API's. */
bool vm_image_save(ox_VM *vm, const char *path, uint64_t capabilities, const VmText *notes,
                   ImageStats *stats, ImageError *error);

/* Opens a file and checks header and tables. */
bool vm_image_open(Image *image, const char *path, ImageError *error);

/* A VM around an open image. */
ox_VM *vm_image_new(Image *image, const VmConfig *config, ImageError *error);
/* Then, before anything runs: what the content says of the process that saved it is forgotten.
 * Foreign objects are gone. The host's functions are the API's business. */
void vm_image_settle(ox_VM *vm, const Image *image, const VmConfig *config);

/* Proves everything in a VM that was opened from an image before it has run anything: NULL, or what
 * is wrong, and the word concerned. */
const char *vm_image_check(ox_VM *vm, const Image *image, uint64_t *where);

#endif
