// What service_tables.cpp has in the place of a host's Linux half: ntdll.so, by that name.
#pragma once

#include <cstdint>

namespace fake_ntdll {

constexpr uint32_t kServices = 200;

/// As the host has them, one behind the other.
struct Descriptor {
    void** services;
    uintptr_t* counters;
    uintptr_t limit;
    uint8_t* argument_bytes;
};
struct Data {
    Descriptor descriptors[4];
    void* services[kServices];
    void* services_of_windows[kServices];
};
/// They lie in the library. (What it exports by name, the linker may move into a program.)
Data& data();

/// Two services of the first table, and one of that of windows.
void first();
void second();
void of_windows();

} // namespace fake_ntdll
