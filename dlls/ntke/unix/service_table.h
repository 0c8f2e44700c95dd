// The system service table of the process, and our place in it.
#pragma once

#include <cstdint>

#include "ke/timeline.h"
#include "unix/convention.h"

namespace service_table {

/// A service that ntke takes. `windows` and `linux_code` are the same function in the two calling
/// conventions; the host's own decides which of them is put into the table.
struct Row {
    const char* name; // the host's function, by which its place is found
    void* windows;
    void* linux_code;
};

/// Which calls of a service are worth a place in the timeline: all, or those that name, as their
/// first argument, a handle that ntke knows. The rest is the program's business with its files.
enum class Recorded : uint8_t { All, OfKnownHandles };

/// Is an object attached to the handle?
bool is_known(uint64_t handle);

/// Makes both forms of a function: `Entry<function>::windows`, `Entry<function>::linux_code`. Each
/// records the call where the process has a timeline.
template <auto function> struct Entry;
template <typename Result, typename... Arguments, Result (*function)(Arguments...)>
struct Entry<function> {
    static inline constinit ke::timeline::Name name { nullptr };
    static inline constinit Recorded recorded = Recorded::All;

    WINDOWS_CONVENTION static Result windows(Arguments... arguments) { return call(arguments...); }
    static Result linux_code(Arguments... arguments) { return call(arguments...); }

private:
    static Result call(Arguments... arguments)
    {
        if (!ke::timeline::is_on()) [[likely]]
            return function(arguments...);
        const uint64_t values[] = { (uint64_t)(uintptr_t)arguments..., 0 }; // there may be none
        if (recorded == Recorded::OfKnownHandles && !is_known(values[0])) {
            const ke::timeline::Pause pause; // what the host is asked for it is no news either
            return function(arguments...);
        }
        ke::timeline::note_service(name, values, sizeof...(arguments));
        const Result result = function(arguments...);
        ke::timeline::note_service_end(name, result);
        return result;
    }
};

template <auto function> Row row(const char* name, Recorded recorded = Recorded::All)
{
    Entry<function>::name.text = name;
    Entry<function>::recorded = recorded;
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

/// Has the host a second table by now, that of windows, which was not tried? Its Linux half is
/// loaded when somebody needs it, maybe after ours.
bool has_new_one_of_windows();
/// Takes one service of it. May be called by several threads. False: it cannot be had; it is not
/// tried again.
bool take_of_windows(const Row& row);

/// Puts the host's tables back. A process that ends does this before its other threads are killed,
/// for one may hold a lock of ours.
void give_back();

/// Are the services ours now?
bool is_taken();

} // namespace service_table
