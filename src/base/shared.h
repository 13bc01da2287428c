/* shared.h - marks what libpeerline-media and libpeerline-signal take from libpeerline at run time, although
 * no application may: declarations between the two marks are exported under a private version
 * (cmake/Libraries.cmake). For rooms with state, which must exist once in a process. */
#ifndef PL_BASE_SHARED_H
#define PL_BASE_SHARED_H

#if defined __GNUC__ && !defined _WIN32
#define PL_SHARED_BEGIN _Pragma("GCC visibility push(default)")
#define PL_SHARED_END   _Pragma("GCC visibility pop")
#else
#define PL_SHARED_BEGIN
#define PL_SHARED_END
#endif

#endif
