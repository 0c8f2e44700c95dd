// Names for clang's thread safety attributes. With clang the build adds -Wthread-safety and a
// function that touches guarded data without its lock does not compile; g++ sees nothing.
#pragma once

#ifdef __clang__
#define KE_ATTRIBUTE(x) __attribute__((x))
#else
#define KE_ATTRIBUTE(x)
#endif

#define CAPABILITY(name) KE_ATTRIBUTE(capability(name))
#define SCOPED_CAPABILITY KE_ATTRIBUTE(scoped_lockable)
#define GUARDED_BY(lock) KE_ATTRIBUTE(guarded_by(lock))
#define REQUIRES(...) KE_ATTRIBUTE(requires_capability(__VA_ARGS__))
#define EXCLUDES(...) KE_ATTRIBUTE(locks_excluded(__VA_ARGS__))
#define ACQUIRE(...) KE_ATTRIBUTE(acquire_capability(__VA_ARGS__))
#define RELEASE(...) KE_ATTRIBUTE(release_capability(__VA_ARGS__))
#define TRY_ACQUIRE(...) KE_ATTRIBUTE(try_acquire_capability(__VA_ARGS__))
#define ASSERT_CAPABILITY(...) KE_ATTRIBUTE(assert_capability(__VA_ARGS__))
#define RETURN_CAPABILITY(lock) KE_ATTRIBUTE(lock_returned(lock))
#define NO_THREAD_SAFETY_ANALYSIS KE_ATTRIBUTE(no_thread_safety_analysis)
