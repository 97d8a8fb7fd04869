// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <sys/eventfd.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cstdint>
#include <memory>
#include <portsync/state_sink.hpp>
#include <portsync/synchronizer.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "faces/control.hpp"
#include "support/cpp/fakes.hpp"
#include "support/cpp/recorder.hpp"

namespace portsync::test {

// A Control of a real Synchronizer, which is between a fake source and a sink that stores nothing and accepts all.
struct ControlFixture {
  ControlFixture() {
    source.descriptor = ::eventfd(0, EFD_CLOEXEC);
    sync.add_sink(*sink, test_projection(), "sink");
    sync.set_listener([this](const SyncEvent& event) { control.on_event(event); });
    BOOST_REQUIRE(!sync.start());
  }
  ControlFixture(const ControlFixture&) = delete;
  ControlFixture& operator=(const ControlFixture&) = delete;
  ~ControlFixture() { ::close(source.descriptor); }

  // The source lists links of these names, with ifindexes from 1.
  void snapshot(const std::vector<std::string>& names) {
    source.snapshot_begin(Cause::initial);
    std::int32_t ifindex = 0;
    for (const std::string& name : names) source.change(make_link(++ifindex, name), Cause::initial);
    source.snapshot_end(Cause::initial);
  }
  // The source lists Ethernet0, Ethernet1, …
  void snapshot(int ports) {
    std::vector<std::string> names;
    for (int i = 0; i < ports; ++i) names.push_back("Ethernet" + std::to_string(i));
    snapshot(names);
  }

  FakeSource source;
  std::unique_ptr<StateSink> sink = make_callback_sink([](const PortRecord&) { return std::error_code(); },
                                                       [](std::string_view) { return std::error_code(); });
  RecordingMonitor monitor;
  Synchronizer sync{source, {}};
  portsyncd::Control control{
      {sync, monitor,
       [this] {
         return portsyncd::Statistics{sync.statistics(), {}, {}, 0};
       },
       [] {
         return portsyncd::ControlError{portsyncd::ControlError::Kind::failed, "nothing has changed: why"};
       },
       "Redis at /run/redis.sock", "mirror"}};
};

}  // namespace portsync::test
