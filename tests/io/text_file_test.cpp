// A text file is the old one or the new one, whole, whatever happens.
#include "io/atomic_file.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include <atomic>
#include <cstdlib>
#include <fstream>
#include <set>
#include <thread>

#include "base/error.hpp"
#include "complaint.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

/// No file of this process grows beyond `bytes` from here on, as on a full disk.
void limit_file_size(rlim_t bytes) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{bytes, bytes};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) std::exit(99);
}

class TextFileTest : public testing::Test {
 protected:
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(scratch_.path())) names.insert(entry.path().filename());
    return names;
  }
  static std::string slurp(const fs::path& path) { return Scratch::read(path); }

  Scratch scratch_;
  fs::path path_ = scratch_.path() / "file.h5";
};

TEST_F(TextFileTest, a_full_disk_throws_and_leaves_what_was_there) {
  for (const auto write : {write_file_atomically, replace_file}) {
    for (const std::set<std::string>& before : {std::set<std::string>{}, {"file.h5"}}) {
      EXPECT_EXIT(
          {
            if (!before.empty()) std::ofstream(path_) << "old";
            limit_file_size(1000);
            const std::string message = complaint([&] { write(path_, std::string(5000, 'x')); });
            const bool named = message.find(path_.string()) != std::string::npos;
            const bool kept = files() == before && (before.empty() || slurp(path_) == "old");
            std::exit(!named ? 1 : kept ? 0 : 2);
          },
          testing::ExitedWithCode(0), "");
      fs::remove(path_);
    }
  }
}

TEST_F(TextFileTest, a_text_file_is_written_whole_in_place_of_the_old_one) {
  for (const auto write : {write_file_atomically, replace_file}) {
    std::ofstream(path_) << "old, and longer than the new";
    write(path_, "new\n");
    EXPECT_EQ(slurp(path_), "new\n");
    EXPECT_EQ(files(), (std::set<std::string>{"file.h5"}));
    const fs::path below = path_ / "file.txt";
    EXPECT_NE(complaint([&] { write(below, "x"); }).find(below.string()), std::string::npos);
  }
}

TEST_F(TextFileTest, a_text_file_is_whole_whenever_it_is_read) {
  const std::set<std::string> texts{"short", std::string(20000, 'x')};
  replace_file(path_, "short");
  std::atomic<bool> reading = true;
  std::thread writer([&] {
    while (reading) {
      for (const std::string& text : texts) replace_file(path_, text);
    }
  });
  std::set<std::string> seen;
  for (int i = 0; i < 2000 || seen.size() < texts.size(); ++i) seen.insert(slurp(path_));
  reading = false;
  writer.join();
  EXPECT_EQ(seen, texts);
}

}  // namespace
}  // namespace fleet
