/* image.h - a heap as a file: saving it, opening it, checking the file. docs/snapshots.md has the
 * format and the policy; image.c how it works; image_check.c proves what a file claims.
 *
 * The file is pages of the cage behind a header and some tables. Opening maps the pages privately:
 * no word is changed, nothing is parsed, and processes that open the same file share what they only
 * read. */
#ifndef OX_GC_IMAGE_H
#define OX_GC_IMAGE_H

#include <sys/types.h>

#include "state.h"

enum {
  IMAGE_VERSION = 3,
  IMAGE_CHUNK = 64,    /* pages under one checksum */
  IMAGE_WORDS = 8,     /* of the embedder, in the header */
  IMAGE_BUILD = 64,    /* bytes of the build's name */
  IMAGE_PATH_MAX = 4095,
};
#define IMAGE_MAGIC "OXBOW\x1A\r\n"

/* A place is a page of the address space, counted from where the caches begin below the base. The
 * host page is one, with the first states of pages; those of the cage come last. */
enum {
  IMAGE_STATES = (GC_CACHE_OFF - GC_HOST_OFF) / GC_PAGE,
  IMAGE_CAGE = GC_CACHE_OFF / GC_PAGE,
};
/* How many places have the states of pages below `end`. */
static inline uint64_t image_state_places(uint64_t end) {
  return (GC_HOST_BYTES + end + GC_PAGE - 1) / GC_PAGE;
}

typedef enum ImageSection {
  IMAGE_RUNS,   /* ImageRun: pages of blocks in use */
  IMAGE_MAPS,   /* ImageMap: what to map where, in order */
  IMAGE_READ,   /* ImageRun: places that a program will read first */
  IMAGE_WRITTEN, /* ImageRun: those that it will write to; some may not be in the file */
  IMAGE_STACKS, /* uint32_t: references of the LAYOUT_STACK blocks */
  IMAGE_NOTES,  /* bytes of the embedder */
  IMAGE_SUMS,   /* uint64_t: XXH64 of each chunk of the file's pages, its number being the seed;
                 * last, since only checks read it */
  IMAGE_SECTIONS
} ImageSection;

typedef struct ImageRun { uint32_t first, count; } ImageRun;
/* at: page of the file */
typedef struct ImageMap { uint32_t place, count, at, reserved; } ImageMap;
typedef struct ImageSpan { uint64_t offset, bytes, sum; } ImageSpan;

/* The first page of the file, the rest of it zero. Numbers are as the machine has them. */
typedef struct ImageHeader {
  char magic[8];
  uint32_t version, byte_order; /* 0x01020304 */
  uint32_t page_bytes, header_bytes;
  uint64_t layout;   /* digest of the layouts of gc/ */
  uint64_t identity; /* digest of what the embedder's bytes mean: natives, opcodes, layouts */
  char build[IMAGE_BUILD]; /* for messages; ends with NUL */
  uint64_t file_bytes;
  uint64_t cage_bytes, root_bytes;
  uint64_t limit_bytes;      /* of the heap that was saved */
  uint64_t snapshot_serial;  /* snapshots of heaps opened from it have higher numbers */
  uint64_t used_pages;       /* for blocks */
  uint64_t words[IMAGE_WORDS];
  uint32_t first_page;       /* of the file that is a page of the cage */
  uint32_t pages;            /* how many follow */
  uint32_t listed_pages, written_pages; /* in either list; in that of written ones */
  uint32_t window, window_pages; /* free pages of the cage where the first spans will be taken */
  uint32_t window_rather;        /* 1: even where slabs of the class are nearly empty */
  uint32_t reserved;             /* 0 */
  ImageSpan sections[IMAGE_SECTIONS];
  uint64_t sum; /* XXH64 of the header with 0 here */
} ImageHeader;
_Static_assert(sizeof(ImageHeader) <= GC_PAGE, "the header is a page");

/* Why something failed: a sentence without the path, and errno where the system refused, else 0. */
typedef struct ImageError { int system; char text[320]; } ImageError;

typedef struct ImageSave {
  const char *path;
  uint64_t identity;
  const char *build;
  uint64_t words[IMAGE_WORDS];
  const void *notes;
  uint64_t note_bytes;
  uint64_t listed; /* about so many pages to list, where the heap does not know better; 0: none */
} ImageSave;

typedef struct ImageStats {
  uint64_t file_bytes, pages, listed_pages, maps;
  uint64_t ns;
} ImageStats;

/* Saves the heap, after a full collection. Nothing may run in it meanwhile. On failure what was at
 * `path` before is there still; but see ImageError where the folder cannot be synced. */
bool image_save(Gc *gc, const ImageSave *save, ImageStats *stats, ImageError *error);

/* An image file that is open and whose header and tables have been checked. */
typedef struct Image {
  int fd;
  ImageHeader head;
  uint8_t *tables; /* the sections but IMAGE_SUMS, in one piece from malloc */
  bool mapped_all; /* for checks: the marks are not taken from the file */
} Image;

/* Writes the name of this build, for a message. */
typedef void ImageBuild(char *to, size_t room);
/* Opens a file: its header, its length and its tables are checked. `identity` as in ImageSave. */
bool image_open(Image *image, const char *path, uint64_t identity, ImageBuild *build,
                ImageError *error);
/* Checks the checksums of all pages. */
bool image_check_pages(Image *image, ImageError *error);
/* The content for gc_new_with. `image` must live until that has returned. */
GcContent image_content(Image *image);
/* Closes the file; heaps made of it live on. */
void image_close(Image *image);

/* The bytes of a section, not IMAGE_SUMS. */
static inline const void *image_section(const Image *image, ImageSection s, uint64_t *bytes) {
  const ImageSpan *span = &image->head.sections[s];
  *bytes = span->bytes;
  return image->tables + (span->offset - image->head.sections[0].offset);
}

/* Proves the heap that was opened from an image whose content nobody vouches for: allocators,
 * headers, references. NULL, or what is wrong, and the word concerned. Reads nothing outside of the
 * cage and the states of its pages, whatever the content is. */
const char *image_check_heap(Gc *gc, const Image *image, uint64_t *where);

#endif
