/* sanitized.h - SANITIZED is defined in builds with AddressSanitizer, by gcc's name for it or clang's. */
#ifndef OX_TEST_SANITIZED_H
#define OX_TEST_SANITIZED_H

#if defined __SANITIZE_ADDRESS__
#define SANITIZED 1
#elif defined __has_feature
#if __has_feature(address_sanitizer)
#define SANITIZED 1
#endif
#endif

#endif
