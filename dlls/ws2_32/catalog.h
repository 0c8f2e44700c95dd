// The protocols there are.
#pragma once

#include "sdk.h"

namespace ws2 {

/// Completes the arguments of socket() from the catalog: zeros become what they stand for. Returns
/// 0 or the Winsock error that says which argument has no match. Source: spec/WSASocket.md.
int resolve_protocol(int& family, int& type, int& protocol);

/// The catalog entry of a socket's family, type and protocol, as SO_PROTOCOL_INFOW gives it.
WSAPROTOCOL_INFOW protocol_info(int family, int type, int protocol);

/// The same entry with its name in the ANSI code page.
WSAPROTOCOL_INFOA ansi_protocol_info(const WSAPROTOCOL_INFOW& wide);

/// Number of catalog entries, hidden ones included, and each of them in order. AF_UNIX is there
/// where ntke is.
constexpr unsigned kMaxCatalogSize = 7;
unsigned catalog_size();
WSAPROTOCOL_INFOW catalog_entry(unsigned index);

/// Is this the identifier of one of the base providers?
bool is_provider(const GUID& id);

/// Length in bytes of a family's socket addresses; 0 for an unknown family.
int address_length(int family);
/// The same of the families of IP; 0 for any other.
int ip_address_length(int family);

} // namespace ws2
