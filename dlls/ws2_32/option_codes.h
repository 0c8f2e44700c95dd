// Socket options, levels and control codes that Windows documents and this SDK's headers do not
// name (or name only for some versions).
#pragma once

#include "sdk.h"

namespace ws2 {

// SOL_SOCKET
constexpr int kSoBspState = 0x1009;
constexpr int kSoPauseAccept = 0x3003;
constexpr int kSoCompartmentId = 0x3004;
constexpr int kSoRandomizePort = 0x3005;
constexpr int kSoPortScalability = 0x3006;
constexpr int kSoReuseUnicastPort = 0x3007;
constexpr int kSoReuseMulticastPort = 0x3008;

// IPPROTO_TCP
constexpr int kTcpKeepIdle = 3; // also TCP_KEEPALIVE
constexpr int kTcpMaxSeg = 4;
constexpr int kTcpMaxRt = 5;
constexpr int kTcpStdUrg = 6;
constexpr int kTcpNoUrg = 7;
constexpr int kTcpAtMark = 8;
constexpr int kTcpNoSynRetries = 9;
constexpr int kTcpTimestamps = 10;
constexpr int kTcpOffloadPreference = 11;
constexpr int kTcpCongestionAlgorithm = 12;
constexpr int kTcpDelayFinAck = 13;
constexpr int kTcpMaxRtMs = 14;
constexpr int kTcpFastOpen = 15;
constexpr int kTcpKeepCnt = 16;
constexpr int kTcpKeepIntvl = 17;
constexpr int kTcpFailConnectOnIcmpError = 18;
constexpr int kTcpBsdUrgent = 0x7000;

/// TCP_MAXRT and TCP_MAXRTMS of a connection that never gives up.
constexpr DWORD kNoTimeout = 0xFFFFFFFF;

// IPPROTO_UDP
constexpr int kUdpSendMsgSize = 2;
constexpr int kUdpRecvMaxCoalescedSize = 3;

// IPPROTO_IP and IPPROTO_IPV6
constexpr int kMcastJoinGroup = 41;
constexpr int kMcastLeaveGroup = 42;
constexpr int kMcastBlockSource = 43;
constexpr int kMcastUnblockSource = 44;
constexpr int kMcastJoinSourceGroup = 45;
constexpr int kMcastLeaveSourceGroup = 46;

} // namespace ws2
