// The files that AF_UNIX sockets are bound to: the host opens none of them, not even to delete it,
// and tells nothing of them by their names.
#pragma once

#include "nt/api.h"

namespace unix_side {

/// Puts an empty file into the place of a socket's, so that the host can open it. For one that is
/// to be deleted. False: it is no such file, and nothing has happened.
bool replace_socket_file(const OBJECT_ATTRIBUTES* attributes);

/// What a socket's file is to programs. False: it is no such file.
bool find_socket_file(const OBJECT_ATTRIBUTES* attributes, FileBasicInformation& info);

} // namespace unix_side
