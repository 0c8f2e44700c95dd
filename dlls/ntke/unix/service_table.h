// The system service table of the process, and our place in it.
#pragma once

#include <cstdint>

#include "unix/convention.h"

namespace service_table {

/// A service that ntke takes. `windows` and `linux_code` are the same function in the two calling
/// conventions; the host's own decides which of them is put into the table.
struct Row {
    const char* name; // the host's function, by which its place is found
    void* windows;
    void* linux_code;
};

/// Makes both forms of a function: `Entry<function>::windows`, `Entry<function>::linux_code`.
template <auto function> struct Entry;
template <typename Result, typename... Arguments, Result (*function)(Arguments...)>
struct Entry<function> {
    WINDOWS_CONVENTION static Result windows(Arguments... arguments)
    {
        return function(arguments...);
    }
    static Result linux_code(Arguments... arguments) { return function(arguments...); }
};

template <auto function> Row row(const char* name)
{
    return { name, reinterpret_cast<void*>(&Entry<function>::windows),
        reinterpret_cast<void*>(&Entry<function>::linux_code) };
}

/// Finds the table of the host's Linux half and puts `rows` into a copy of it, which takes its
/// place for all threads at once. Counterpart: KeServiceDescriptorTable, and what a kernel filter
/// does to it.
///
/// Once a process; host::find_services has succeeded. Any doubt whether it is the table: nothing is
/// touched. Returns why not, null: the services are ours.
const char* take(const Row* rows, uint32_t count);

/// Has the host a second table by now, that of windows, which is not taken? Its Linux half is
/// loaded when somebody needs it, maybe after ours.
bool can_take_of_windows();
/// Takes one service of it. May be called by several threads, and again when it did not succeed.
void take_of_windows(const Row& row);

/// Puts the host's tables back. A process that ends does this before its other threads are killed,
/// for one may hold a lock of ours.
void give_back();

/// Are the services ours now?
bool is_taken();

} // namespace service_table
