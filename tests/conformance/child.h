// Child processes for the cases: this executable again, started with the hidden argument --child.
#pragma once

#include "harness.h"

namespace conformance {

/// A running child. Its handles are owned by the harness.
struct Child {
    HANDLE process;
    DWORD process_id;
    /// The write end of its standard input.
    HANDLE input;
};

/// Starts this executable as `conformance --child ROLE ARGUMENT`. With `inherit` it gets every
/// inheritable handle of this process, otherwise none but its standard input.
Child start_child(
    const char* role, unsigned long long argument, bool inherit, Where where = Where::current());

/// Writes to the child's standard input.
void write_to_child(
    const Child& child, const void* data, size_t size, Where where = Where::current());

/// Starts a child in the role and gives it a duplicate of the socket, by WSADuplicateSocketW.
Child give_to_child(SOCKET socket, const char* role, Where where = Where::current());

/// What a child in a role of ports is told: a handle of its own, how many packets, the first key.
struct ChildsPort {
    HANDLE port;
    DWORD count;
    ULONG_PTR first_key;
};

/// Gives the child a handle of the same object, by DuplicateHandle.
HANDLE handle_for_child(const Child& child, HANDLE handle, Where where = Where::current());

/// Waits for the child to end and returns its exit code; fails the case at the hang limit.
DWORD exit_code_of(const Child& child, Where where = Where::current());

/// What a child in the role "end-thread" ends its thread with.
constexpr DWORD kThreadsCode = 23;

/// The child's side: what main() does after --child. Returns the exit code: 0, or the Winsock error
/// the role met.
int child_main(const char* role, const char* argument);

} // namespace conformance
