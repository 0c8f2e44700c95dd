#pragma once

#include <string>

namespace bench {

/// Which ws2_32.dll this process runs on.
struct Ws2Module {
    std::string path;
    /// ProductName and FileVersion of its version resource; "unknown" if it has none.
    std::string product;
    std::string version;
};

/// Which kernel serves it: "ntke" or "host" (Wine's server, or Windows).
std::string kernel_at_work();

/// Asks the loaded module itself, not the file: under Wine a builtin module may carry the path of
/// another file.
Ws2Module loaded_ws2_module();

} // namespace bench
