// The ioctl codes of the AFD device and the bits of its poll and event-select masks.
//
// The first group is the NT driver's own; the rest are the codes under which Wine's AFD device
// offers the remaining socket operations. Every code was observed on Wine 8.0 and 10.0.
// spec/afd.md describes the parameter blocks, the results and the differences of the versions.
#pragma once

#include "nt/types.h"

namespace afd {

enum Ioctl : ULONG {
    kIoctlBind = 0x12003,
    kIoctlListen = 0x1200B,
    kIoctlRecv = 0x12017,
    kIoctlPoll = 0x12024,
    kIoctlGetSockName = 0x1202F,
    kIoctlEventSelect = 0x12087,
    kIoctlGetEvents = 0x1208B,

    kIoctlCreate = 0x120320,
    kIoctlAccept = 0x120324,
    kIoctlAcceptInto = 0x120328,
    kIoctlConnect = 0x12032C,
    kIoctlShutdown = 0x120330,
    kIoctlRecvMsg = 0x120334,
    kIoctlSendMsg = 0x120338,
    kIoctlTransmit = 0x12033C,
    kIoctlAddressListChange = 0x120340,
    kIoctlFionbio = 0x120344,
    kIoctlCompleteAsync = 0x120348,
    kIoctlFionread = 0x12034C,
    kIoctlSiocAtMark = 0x120350,
    kIoctlGetInterfaceList = 0x120354,
    kIoctlKeepaliveVals = 0x120358,
    kIoctlMessageSelect = 0x12035C,
    kIoctlGetPeerName = 0x120360,
    kIoctlDefer = 0x120364,
    kIoctlGetInfo = 0x120368,

    kIoctlGetSoAcceptConn = 0x12036C,
    kIoctlGetSoBroadcast = 0x120370,
    kIoctlSetSoBroadcast = 0x120374,
    kIoctlGetSoError = 0x120378,
    kIoctlGetSoKeepalive = 0x12037C,
    kIoctlSetSoKeepalive = 0x120380,
    kIoctlGetSoLinger = 0x120384,
    kIoctlSetSoLinger = 0x120388,
    kIoctlGetSoOobInline = 0x12038C,
    kIoctlSetSoOobInline = 0x120390,
    kIoctlSetSoRcvBuf = 0x120394,
    kIoctlGetSoRcvBuf = 0x120398,
    kIoctlSetSoRcvTimeo = 0x12039C,
    kIoctlGetSoRcvTimeo = 0x1203A0,
    kIoctlGetSoReuseAddr = 0x1203A4,
    kIoctlSetSoReuseAddr = 0x1203A8,
    kIoctlSetSoSndBuf = 0x1203AC,
    kIoctlGetSoSndBuf = 0x1203B0,
    kIoctlGetSoSndTimeo = 0x1203B4,
    kIoctlSetSoSndTimeo = 0x1203B8,
    kIoctlSetIpAddMembership = 0x1203BC,
    kIoctlSetIpAddSourceMembership = 0x1203C0,
    kIoctlSetIpBlockSource = 0x1203C4,
    kIoctlGetIpDontFragment = 0x1203C8,
    kIoctlSetIpDontFragment = 0x1203CC,
    kIoctlSetIpDropMembership = 0x1203D0,
    kIoctlSetIpDropSourceMembership = 0x1203D4,
    kIoctlGetIpHdrIncl = 0x1203D8,
    kIoctlSetIpHdrIncl = 0x1203DC,
    kIoctlGetIpMulticastIf = 0x1203E0,
    kIoctlSetIpMulticastIf = 0x1203E4,
    kIoctlGetIpMulticastLoop = 0x1203E8,
    kIoctlSetIpMulticastLoop = 0x1203EC,
    kIoctlGetIpMulticastTtl = 0x1203F0,
    kIoctlSetIpMulticastTtl = 0x1203F4,
    kIoctlGetIpOptions = 0x1203F8,
    kIoctlSetIpOptions = 0x1203FC,
    kIoctlGetIpPktInfo = 0x120400,
    kIoctlSetIpPktInfo = 0x120404,
    kIoctlGetIpTos = 0x120408,
    kIoctlSetIpTos = 0x12040C,
    kIoctlGetIpTtl = 0x120410,
    kIoctlSetIpTtl = 0x120414,
    kIoctlSetIpUnblockSource = 0x120418,
    kIoctlGetIpUnicastIf = 0x12041C,
    kIoctlSetIpUnicastIf = 0x120420,
    kIoctlSetIpv6AddMembership = 0x120424,
    kIoctlGetIpv6DontFrag = 0x120428,
    kIoctlSetIpv6DontFrag = 0x12042C,
    kIoctlSetIpv6DropMembership = 0x120430,
    kIoctlGetIpv6MulticastHops = 0x120434,
    kIoctlSetIpv6MulticastHops = 0x120438,
    kIoctlGetIpv6MulticastIf = 0x12043C,
    kIoctlSetIpv6MulticastIf = 0x120440,
    kIoctlGetIpv6MulticastLoop = 0x120444,
    kIoctlSetIpv6MulticastLoop = 0x120448,
    kIoctlGetIpv6UnicastHops = 0x12044C,
    kIoctlSetIpv6UnicastHops = 0x120450,
    kIoctlGetIpv6UnicastIf = 0x120454,
    kIoctlSetIpv6UnicastIf = 0x120458,
    kIoctlGetIpv6V6Only = 0x12045C,
    kIoctlSetIpv6V6Only = 0x120460,
    kIoctlGetTcpNoDelay = 0x120470,
    kIoctlSetTcpNoDelay = 0x120474,
    kIoctlGetIpv6RecvHopLimit = 0x120478,
    kIoctlSetIpv6RecvHopLimit = 0x12047C,
    kIoctlGetIpv6RecvPktInfo = 0x120480,
    kIoctlSetIpv6RecvPktInfo = 0x120484,
    kIoctlGetIpv6RecvTClass = 0x120488,
    kIoctlSetIpv6RecvTClass = 0x12048C,
    kIoctlGetSoConnectTime = 0x120490,
    kIoctlGetIpRecvTtl = 0x120494,
    kIoctlSetIpRecvTtl = 0x120498,
    kIoctlGetIpRecvTos = 0x12049C,
    kIoctlSetIpRecvTos = 0x1204A0,
    kIoctlGetSoExclusiveAddrUse = 0x1204A4,
    kIoctlSetSoExclusiveAddrUse = 0x1204A8,
    kIoctlGetTcpKeepIdle = 0x1204AC, // this and the following: Wine 10.0 only
    kIoctlSetTcpKeepIdle = 0x1204B0,
    kIoctlGetTcpKeepCnt = 0x1204B4,
    kIoctlSetTcpKeepCnt = 0x1204B8,
    kIoctlGetTcpKeepIntvl = 0x1204BC,
    kIoctlSetTcpKeepIntvl = 0x1204C0,

    // ntke's own: no host has them, and answers STATUS_NOT_SUPPORTED. [afd/107]
    kIoctlSendControl = 0x123C00,
    kIoctlRecvMessage = 0x123C04,
    kIoctlGetRecvEcn = 0x123C08,
    kIoctlSetRecvEcn = 0x123C0C,
    kIoctlGetUdpSendSize = 0x123C10,
    kIoctlSetUdpSendSize = 0x123C14,
    kIoctlGetUdpCoalescedSize = 0x123C18,
    kIoctlSetUdpCoalescedSize = 0x123C1C,
    kIoctlHasUnsent = 0x123C20,
    kIoctlGetTcpInfo = 0x123C24,
    kIoctlRecvDatagram = 0x123C28,
    kIoctlAcceptHere = 0x123C2C,
    kIoctlTransmitView = 0x123C30,
    kIoctlGetMode = 0x123C34,
    kIoctlSetIpv6AddSourceMembership = 0x123C3C,
    kIoctlSetIpv6DropSourceMembership = 0x123C40,
    kIoctlSetIpv6BlockSource = 0x123C44,
    kIoctlSetIpv6UnblockSource = 0x123C48,
    kIoctlGetTcpUserTimeout = 0x123C4C,
    kIoctlSetTcpUserTimeout = 0x123C50,
    kIoctlGetUdpNoChecksum = 0x123C54,
    kIoctlSetUdpNoChecksum = 0x123C58,
    kIoctlGetSourceFilter = 0x123C5C,
    kIoctlSetSourceFilter = 0x123C60,
    kIoctlShutdownHere = 0x123C64,
};

/// Is a request one that only ntke knows?
constexpr bool is_of_ntke(ULONG code)
{
    return code >= kIoctlSendControl && code <= kIoctlShutdownHere;
}

/// Poll conditions; the same bits make up event-select masks and network event records.
enum PollFlags : ULONG {
    kPollReceive = 0x001, // data to read, not EOF
    kPollReceiveExpedited = 0x002, // urgent data that is not inline
    kPollSend = 0x004,
    kPollDisconnect = 0x008, // the peer's FIN
    kPollAbort = 0x010, // the peer's reset
    kPollLocalClose = 0x020, // last handle closed
    kPollConnect = 0x040,
    kPollAccept = 0x080,
    kPollConnectFail = 0x100,
    kPollQos = 0x200, // never set
    kPollGroupQos = 0x400, // never set
};

/// Index of the bit's slot in GetEventsResult::status.
constexpr unsigned kConnectFailBit = 8;
constexpr unsigned kDisconnectBit = 3;

/// What kIoctlGetSoConnectTime tells where there is no connection.
constexpr ULONG kNotConnected = 0xFFFFFFFF;

/// Timeout of a poll that waits for ever.
constexpr LONGLONG kPollForever = 0x7FFFFFFFFFFFFFFF;

} // namespace afd
