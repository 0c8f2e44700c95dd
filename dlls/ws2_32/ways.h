// The ways to ntke.so and the order in which they are tried. What going one of them takes is the
// host's (emulation.cpp); tests have one of their own.
#pragma once

#include <cstdint>

#include "ntke/names.h"
#include "wine_version.h"

namespace ws2::emulation {

/// When a way is gone at all.
enum class If { kAlways, kDllPath, kNoDllPath, kLinuxFiles, kLinuxFilesFrom32Bit };

/// What lies at the beginning of a way, and how the call table is had from it.
enum class Kind {
    kPair, // ntke.dll, the Windows half of a pair, which knows the table
    kModule, // ntke.so, loaded as a module that exports the table
    kLinuxFile, // ntke.so, loaded by Wine as the Linux half of nothing
};

/// Where that is.
enum class Place { kBesideDll, kFolderOf64BitDlls };

struct Way {
    If condition;
    Kind kind;
    Place place;
    const wchar_t* file;
};

/// In the order in which they are tried. Where one leads nowhere, the next one may.
constexpr Way kWays[] = {
    // The pair, where the user names a folder with its ntke.so: that one is meant.
    { If::kDllPath, Kind::kPair, Place::kBesideDll, ntke::kPairModule },
    // What Wine offers by itself, before what it may come to complain about.
    { If::kLinuxFiles, Kind::kLinuxFile, Place::kBesideDll, ntke::kUnixModule },
    // A 32-bit program over 64-bit Linux code: beside its DLL lies an ntke.so that cannot be had
    // there.
    { If::kLinuxFilesFrom32Bit, Kind::kLinuxFile, Place::kFolderOf64BitDlls, ntke::kUnixModule },
    // ntke.so itself under the name of a DLL, which Wine loads wherever it lies.
    { If::kAlways, Kind::kModule, Place::kBesideDll, ntke::kUnixModule },
    // The pair: Wine may know a variable that whoever started the program has not passed on.
    { If::kNoDllPath, Kind::kPair, Place::kBesideDll, ntke::kPairModule },
};

/// What is known of the process.
struct Surroundings {
    WineVersion version;
    bool has_dll_path; // WINEDLLPATH is set
    bool is_32_bit;
};

constexpr bool holds(If condition, const Surroundings& here)
{
    // Since 11.2 Wine loads a Linux file by its name for whoever asks. Before that the number of
    // the question meant nothing, or something else.
    const bool has_linux_files = here.version.is_at_least(11, 2);
    switch (condition) {
    case If::kAlways:
        return true;
    case If::kDllPath:
        return here.has_dll_path;
    case If::kNoDllPath:
        return !here.has_dll_path;
    case If::kLinuxFiles:
        return has_linux_files;
    case If::kLinuxFilesFrom32Bit:
        return has_linux_files && here.is_32_bit;
    }
    return false;
}

/// Where a way has led. A refusal is ntke's own: no other way leads to another ntke.
enum class End { kOpened, kNowhere, kRefused };

/// Goes the ways that there are, one after the other, by `go(way)`; false when none has led to
/// ntke.
template <typename Go> bool find_way(const Surroundings& here, Go go)
{
    for (const Way& way : kWays) {
        if (!holds(way.condition, here))
            continue;
        if (const End end = go(way); end != End::kNowhere)
            return end == End::kOpened;
    }
    return false;
}

/// What Wine answers when it is asked to load a Linux file.
struct LinuxFile {
    uint64_t module;
    uint64_t table;
};

/// Asks for a Linux file by `query(answer)`, which returns a status. A host that knows the question
/// as another one may say that it has succeeded, and has then told no module with a table. Returns
/// the handle of the table (64 bits wide in 32-bit programs, too), or 0.
template <typename Query> uint64_t find_table_of_file(Query query)
{
    LinuxFile answer {};
    return query(answer) >= 0 && answer.module ? answer.table : 0;
}

} // namespace ws2::emulation
