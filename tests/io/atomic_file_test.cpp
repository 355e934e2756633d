#include "io/atomic_file.hpp"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "base/error.hpp"
#include "base/process.hpp"
#include "io/file_lock.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

class AtomicFileTest : public testing::Test {
 protected:
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(scratch_.path())) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }
  fs::path temporary(const std::string& number) const {
    return path_.string() + ".fleet-" + host_name() + "." + number + ".tmp";
  }

  Scratch scratch_;
  fs::path path_ = scratch_.path() / "file";
};

TEST_F(AtomicFileTest, appears_whole_and_leaves_nothing_else) {
  write_file_atomically(path_, "one");
  EXPECT_EQ(Scratch::read(path_), "one");
  replace_file(path_, "");
  EXPECT_EQ(Scratch::read(path_), "");
  EXPECT_EQ(names(), std::vector<std::string>{"file"});
}

TEST_F(AtomicFileTest, that_is_not_completed_leaves_what_was_there) {
  write_file_atomically(path_, "one");
  {
    TemporaryFile half(path_);
    half.write("two");
    EXPECT_EQ(target_of_temporary(half.path().filename().string()), "file");
  }
  EXPECT_EQ(Scratch::read(path_), "one");
  EXPECT_EQ(names(), std::vector<std::string>{"file"});
}

TEST_F(AtomicFileTest, is_written_through_no_link_and_over_no_file_that_has_its_temporary_name) {
  const fs::path precious = scratch_.path() / "precious";
  Scratch::write(precious, "precious");
  const std::string process = cat(::getpid());
  fs::create_symlink(precious, temporary(process));
  Scratch::write(temporary(process + "-1"), "mine");
  fs::create_symlink(precious, path_);
  write_file_atomically(path_, "ours");
  EXPECT_EQ(Scratch::read(precious), "precious");
  EXPECT_TRUE(fs::is_symlink(temporary(process)));
  EXPECT_EQ(Scratch::read(temporary(process + "-1")), "mine");
  EXPECT_FALSE(fs::is_symlink(path_)) << "the link gives way to the file";
  EXPECT_EQ(Scratch::read(path_), "ours");
}

TEST_F(AtomicFileTest, a_place_that_cannot_be_written_is_named) {
  try {
    write_file_atomically(scratch_.path() / "absent" / "x", "");
    FAIL() << "written";
  } catch (const Error& error) {
    const std::string folder = (scratch_.path() / "absent").string();
    EXPECT_EQ(std::string(error.what()), "cannot create " + folder + "/x: there is no folder " + folder);
  }
}

TEST(TemporaryName, tells_its_target_and_is_taken_for_nothing_else) {
  const std::string here = host_name();
  EXPECT_EQ(target_of_temporary("a.h5.fleet-host.7.tmp"), "a.h5");
  EXPECT_EQ(target_of_temporary("a.h5.fleet-node1.cluster.org.123-4.tmp"), "a.h5");
  EXPECT_EQ(target_of_temporary("a.fleet-b.fleet-host.7.tmp"), "a.fleet-b");
  EXPECT_EQ(target_of_temporary("a.h5." + here + ".7.tmp"), "a.h5");
  for (const std::string& name :
       {std::string("a.tmp"), std::string("a.h5.tmp"), std::string("a.7.tmp"), std::string("a.other-host.7.tmp"),
        std::string(".fleet-host.7.tmp"), std::string("a.fleet-.7.tmp"), std::string("a.fleet-host.tmp"),
        std::string("a.fleet-host.x.tmp"), std::string("a.fleet-host.7-.tmp"), std::string("a.fleet-host.-7.tmp"),
        std::string("a.fleet-host.7.tmp~"), "." + here + ".7.tmp", std::string(".tmp"), std::string("")}) {
    EXPECT_EQ(target_of_temporary(name), std::nullopt) << name;
  }
}

TEST_F(AtomicFileTest, a_temporary_file_goes_with_the_process_that_was_writing_it_and_not_before) {
  int ready[2];
  ASSERT_EQ(pipe(ready), 0);
  const pid_t child = fork();
  if (child == 0) {
    TemporaryFile half(path_);
    half.write("half");
    if (write(ready[1], "x", 1) == 1) pause();
    _exit(0);
  }
  char told = '?';
  ASSERT_EQ(read(ready[0], &told, 1), 1);
  const auto remove = [&] {
    remove_temporaries(scratch_.path(), [](const std::string& target) { return target == "file"; });
    return names().empty();
  };
  EXPECT_FALSE(remove());
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_FALSE(names().empty());
  EXPECT_TRUE(remove());
}

TEST_F(AtomicFileTest, of_temporary_files_only_those_of_the_targets_are_removed) {
  for (const char* name : {"mine.fleet-host.7.tmp", "file.tmp", "file.fleet-host.7.tmp"}) {
    Scratch::write(scratch_.path() / name, "");
  }
  fs::create_directories(scratch_.path() / "file.fleet-host.8.tmp");
  remove_temporaries(scratch_.path(), [](const std::string& target) { return target == "file"; });
  EXPECT_EQ(names(), (std::vector<std::string>{"file.fleet-host.8.tmp", "file.tmp", "mine.fleet-host.7.tmp"}));
}

TEST_F(AtomicFileTest, a_file_of_locks_is_no_link_and_no_pipe) {
  Scratch::write(scratch_.path() / "precious", "precious");
  fs::create_symlink(scratch_.path() / "precious", path_);
  EXPECT_THROW(LockedFile{path_}, ConfigError);
  fs::remove(path_);
  fs::create_symlink(scratch_.path() / "absent", path_);
  EXPECT_THROW(LockedFile{path_}, ConfigError);
  EXPECT_FALSE(fs::exists(scratch_.path() / "absent"));
  fs::remove(path_);
  ASSERT_EQ(mkfifo(path_.c_str(), 0600), 0);
  EXPECT_THROW(LockedFile{path_}, ConfigError);
}

}  // namespace
}  // namespace fleet
