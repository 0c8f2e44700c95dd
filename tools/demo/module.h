// Which ws2_32.dll this process has: asked of the loaded module, since under Wine the file that its
// path names can be another one.
#pragma once

namespace demo {

/// Prints `# ws2_32: PATH, PRODUCT, VERSION` of the loaded library to standard output.
void print_library();

/// Prints `# kernel: ntke, PATH` with the module by which ntke is reached, or `# kernel: host`.
/// After WSAStartup.
void print_kernel();

} // namespace demo
