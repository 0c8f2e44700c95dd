// Devices that NtCreateFile can open.
#pragma once

#include <cstddef>

#include "io/file.h"

namespace io {

/// A device. Counterpart: DEVICE_OBJECT with its driver's IRP_MJ_CREATE.
struct Device {
    const char16_t* name; // e.g. \Device\Afd; a path below it names the same device
    NTSTATUS (*open)(File::Mode mode, ob::Ref<File>& file);
};

/// The device whose name begins `path` (of `length` characters), case-sensitive unless
/// `ignore_case`; null when there is none. Counterpart: the object manager's \Device directory.
const Device* find_device(const char16_t* path, size_t length, bool ignore_case);

} // namespace io
