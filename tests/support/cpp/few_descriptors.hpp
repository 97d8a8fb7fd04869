// SPDX-License-Identifier: Apache-2.0
#pragma once

#include <fcntl.h>
#include <sys/resource.h>
#include <unistd.h>

#include <boost/test/unit_test.hpp>
#include <cerrno>
#include <cstddef>
#include <portsync/netlink/link_source.hpp>
#include <system_error>
#include <vector>

namespace portsync::test {

// Leaves the program only `free` more descriptors.
class FewDescriptors {
 public:
  explicit FewDescriptors(std::size_t free) {
    // UBSan needs descriptors of its own when it checks a class for the first time.
    (void)netlink::make_link_source();
    try {
      throw std::system_error(std::make_error_code(std::errc::too_many_files_open), "");
    } catch (const std::system_error& error) {
      BOOST_REQUIRE((error.code() == std::error_code(EMFILE, std::system_category())) == false);
      BOOST_REQUIRE((std::error_code(EMFILE, std::system_category()) == std::errc::too_many_files_open));
    }
    ::getrlimit(RLIMIT_NOFILE, &limit_);
    rlimit lower = limit_;
    lower.rlim_cur = 64;
    ::setrlimit(RLIMIT_NOFILE, &lower);
    for (int fd = 0; (fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC)) >= 0;) taken_.push_back(fd);
    for (; free > 0; --free) give_back();
  }
  FewDescriptors(const FewDescriptors&) = delete;
  FewDescriptors& operator=(const FewDescriptors&) = delete;
  ~FewDescriptors() {
    while (!taken_.empty()) give_back();
    ::setrlimit(RLIMIT_NOFILE, &limit_);
  }

 private:
  void give_back() {
    ::close(taken_.back());
    taken_.pop_back();
  }

  rlimit limit_{};
  std::vector<int> taken_;
};

}  // namespace portsync::test
