// How the configuration functions fail: through their last argument.
#pragma once

#include "guard.h"
#include "sdk.h"

namespace ws2 {

/// Stores `error` where the caller of a WSC function wants it and returns SOCKET_ERROR. The last
/// error stays. [service-providers/1]
inline int fail_provider(INT* error_out, int error)
{
    if (error_out)
        guard::write(error_out, INT { error });
    return SOCKET_ERROR;
}

} // namespace ws2
