/* export.h - marks of the public interface. Included by every public header. */
#ifndef PEERLINE_EXPORT_H
#define PEERLINE_EXPORT_H

#if defined _WIN32
#define PL_API __declspec(dllexport)
#elif defined __GNUC__
#define PL_API __attribute__((visibility("default")))
#else
#define PL_API
#endif

#if defined __GNUC__
#define PL_NODISCARD         __attribute__((warn_unused_result))
#define PL_PRINTF(fmt, args) __attribute__((format(printf, fmt, args)))
#else
#define PL_NODISCARD
#define PL_PRINTF(fmt, args)
#endif

#endif
