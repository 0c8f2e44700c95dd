// A benchmark that computes something wrong must not print a figure.
#pragma once

#include <cstdio>
#include <cstdlib>

namespace bench_afd {

inline void check(bool is_right, const char* what)
{
    if (!is_right) {
        fprintf(stderr, "afd-bench: %s\n", what);
        abort();
    }
}

} // namespace bench_afd
