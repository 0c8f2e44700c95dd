// The options of a socket that the DLL keeps itself.
#pragma once

#include "sdk.h"

namespace ws2 {

/// Options without a counterpart in the AFD device. Windows keeps each per socket and gives it
/// back; what it means on the host, if anything, is said at its row in option_table.cpp.
enum class StoredOption : unsigned char {
    kDebug,
    kDontRoute,
    kConditionalAccept,
    kPauseAccept,
    kCompartmentId,
    kRandomizePort,
    kPortScalability,
    kReuseUnicastPort,
    kReuseMulticastPort,
    kGroupPriority,
    kTcpExpedited,
    kTcpMaxRt,
    kTcpStdUrg,
    kTcpNoSynRetries,
    kTcpTimestamps,
    kTcpDelayFinAck,
    kTcpMaxRtMs,
    kTcpFastOpen,
    kTcpFailConnectOnIcmpError,
    kTcpOffloadPreference,
    kTcpKeepIdle,
    kTcpKeepCnt,
    kTcpKeepIntvl,
    kUdpNoChecksum,
    kUdpChecksumCoverage,
    kReceiveBroadcast,
    kReceiveInterface,
    kReceiveDestination,
    kReceiveRoutingHeader,
    kOriginalArrivalInterface,
    kEcn,
    kPacketInfoEx,
    kRedirectRecords,
    kRedirectContext,
    kMtuDiscover,
    kReceiveError,
    kUserMtu,
    kInterfaceList,
    kRoutingHeader,
    kProtectionLevel,
    kHopByHop,
    kHeaderIncluded,
    kChecksum,
    kIpv6Only,
    kSendBuffer,
    kReceiveBuffer,
    kLingerSwitch, // what SO_LINGER was switched on with; the device keeps a 1
    kCount,
};

/// Values of the stored options. Guarded by the socket's lock.
///
/// A value is kept as its difference from the option's initial value, so that a fresh socket is all
/// zeros whatever the initial values are.
struct OptionStore {
    DWORD difference[static_cast<unsigned>(StoredOption::kCount)] = {};

    DWORD get(StoredOption option, DWORD initial) const
    {
        return difference[static_cast<unsigned>(option)] ^ initial;
    }
    void set(StoredOption option, DWORD initial, DWORD value)
    {
        difference[static_cast<unsigned>(option)] = value ^ initial;
    }
};

} // namespace ws2
