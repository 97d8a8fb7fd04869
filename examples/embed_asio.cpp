// SPDX-License-Identifier: Apache-2.0
// link_monitor in Boost.Asio. SIGTERM ends it.
//
//   g++ -std=c++17 embed_asio.cpp -o embed_asio $(pkg-config --cflags --libs portsync) -pthread
//
// Asio waits edge-triggered, but each async_wait() checks the descriptor again. One wait after every process() is
// therefore as good as a level-triggered wait.
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/asio/signal_set.hpp>
#include <csignal>
#include <cstdio>
#include <portsync/netlink/link_source.hpp>
#include <system_error>

#include "print_change.hpp"

namespace asio = boost::asio;

// Drives any object of the library in an io_context. One thread or one strand runs the io_context, because an object
// belongs to one thread at a time. Destroy the Driver before the object.
class Driver {
 public:
  Driver(asio::io_context& context, portsync::Pollable& pollable)
      : pollable_(pollable), descriptor_(context, pollable.fd()) {
    wait();
  }
  Driver(const Driver&) = delete;
  Driver& operator=(const Driver&) = delete;
  ~Driver() { descriptor_.release(); }  // the object owns the descriptor and closes it

 private:
  void wait() {
    descriptor_.async_wait(asio::posix::stream_descriptor::wait_read, [this](const boost::system::error_code& error) {
      if (error == asio::error::operation_aborted) return;  // the Driver may be gone
      if (const std::error_code failed = pollable_.process()) throw std::system_error(failed);
      wait();
    });
  }

  portsync::Pollable& pollable_;
  asio::posix::stream_descriptor descriptor_;
};

int main() try {
  const auto source = portsync::netlink::make_link_source();
  if (const std::error_code error = source->start(print_change)) throw std::system_error(error);

  asio::io_context context;
  asio::signal_set signals(context, SIGTERM);
  signals.async_wait([&](const boost::system::error_code&, int) { context.stop(); });
  const Driver driver(context, *source);
  context.run();
  return 0;
} catch (const std::system_error& error) {
  std::fprintf(stderr, "embed_asio: %s\n", error.what());
  return 1;
}
