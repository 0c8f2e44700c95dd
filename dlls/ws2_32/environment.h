// Settings in the environment of the process.
#pragma once

namespace ws2 {

/// Is the variable `name` set to `value`? Upper and lower case are the same. The last error stays.
bool environment_says(const wchar_t* name, const wchar_t* value);

} // namespace ws2
