#include "data/fetch_tree.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

#include "base/error.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

/// A tree of two files, and a python3 whose pip "downloads" whatever lies in package/.
class FetchTreeTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "fetch_tree_test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    home_ = root_ / "data" / "toys";
    Scratch::write(root_ / "package/toys/assets/a.xml", "abc");
    Scratch::write(root_ / "package/toys/assets/meshes/b.stl", "hello");
    tree_ = {.name = "toys",
             .package = "toys==1.0",
             .folder = "toys/assets",
             .entries = {"a.xml", "meshes"},
             .sha256 = tree_digest(root_ / "package/toys/assets")};
    path_ = std::getenv("PATH");
    // "-m pip download ... --dest DIR PACKAGE" leaves a wheel, "-m zipfile --extract WHEEL DIR" unpacks it.
    set_python("if [ \"$2\" = zipfile ]; then cp -r '" + root_.string() +
               "'/package/. \"$5\"; else shift $(($# - 2)); touch \"$1/toys-1.0.whl\"; fi");
  }
  void TearDown() override {
    setenv("PATH", path_.c_str(), 1);
    fs::remove_all(root_);
  }

  void set_python(const std::string& script) {
    Scratch::write(root_ / "bin/python3", "#!/bin/sh\n" + script + "\n");
    fs::permissions(root_ / "bin/python3", fs::perms::owner_all);
    setenv("PATH", ((root_ / "bin").string() + ":" + path_).c_str(), 1);
  }
  void fetch() { fetch_tree(tree_, home_, log_); }
  std::string failure() {
    try {
      fetch();
    } catch (const Error& error) {
      return error.what();
    }
    return "fetched";
  }

  fs::path root_;
  fs::path home_;
  std::string path_;
  PublishedTree tree_;
  std::ostringstream log_;
};

TEST_F(FetchTreeTest, fetches_and_verifies) {
  fetch();
  EXPECT_EQ(tree_digest(home_), tree_.sha256);
  EXPECT_NE(log_.str().find("verified"), std::string::npos) << log_.str();
  EXPECT_EQ(std::distance(fs::directory_iterator(home_.parent_path()), {}), 1) << "something was left behind";
}

TEST_F(FetchTreeTest, runs_nothing_when_all_is_there) {
  fetch();
  set_python("exit 1");
  fetch();
  EXPECT_NE(log_.str().find("already there"), std::string::npos) << log_.str();
}

TEST_F(FetchTreeTest, replaces_a_damaged_tree_and_keeps_it_beside) {
  fetch();
  Scratch::write(home_ / "a.xml", "abd");
  Scratch::write(home_ / "meshes/mine.stl", "mine");
  fetch();
  EXPECT_EQ(tree_digest(home_), tree_.sha256);
  EXPECT_FALSE(fs::exists(home_ / "meshes/mine.stl"));
  EXPECT_EQ(Scratch::read(home_.string() + ".replaced/a.xml"), "abd");
  EXPECT_EQ(Scratch::read(home_.string() + ".replaced/meshes/mine.stl"), "mine");
  EXPECT_NE(log_.str().find("kept as " + home_.string() + ".replaced\n"), std::string::npos) << log_.str();
}

TEST_F(FetchTreeTest, fills_an_empty_directory_also_one_that_a_link_leads_to) {
  fs::create_directories(home_.parent_path());
  fs::create_directories(root_ / "large disk");
  fs::create_directory_symlink(root_ / "large disk", home_);
  fetch();
  EXPECT_TRUE(fs::is_symlink(home_));
  EXPECT_EQ(tree_digest(root_ / "large disk"), tree_.sha256);
}

TEST_F(FetchTreeTest, refuses_a_directory_that_is_no_copy_before_it_reaches_for_anything) {
  set_python("touch '" + (root_ / "reached").string() + "'");
  for (const char* name : {"demos.h5", "mnist/train", "a.xml.bak"}) {
    fs::remove_all(home_);
    Scratch::write(home_ / "a.xml", "abd");
    Scratch::write(home_ / name, "mine");
    EXPECT_THROW(fetch(), ConfigError);
    EXPECT_NE(failure().find(home_.string() + " is no copy of toys, as it holds "), std::string::npos) << failure();
    EXPECT_EQ(Scratch::read(home_ / name), "mine");
    EXPECT_EQ(Scratch::read(home_ / "a.xml"), "abd");
  }
  fs::remove_all(home_);
  Scratch::write(home_, "mine");
  EXPECT_THROW(fetch(), ConfigError);
  EXPECT_EQ(Scratch::read(home_), "mine");
  EXPECT_FALSE(fs::exists(root_ / "reached"));
}

TEST_F(FetchTreeTest, keeps_what_is_there_when_the_package_is_wrong) {
  Scratch::write(home_ / "meshes/mine.xml", "mine");
  Scratch::write(root_ / "package/toys/assets/a.xml", "not the one");
  const std::string message = failure();
  EXPECT_NE(message.find("expected " + tree_.sha256), std::string::npos) << message;
  EXPECT_TRUE(fs::exists(home_ / "meshes/mine.xml"));
}

TEST_F(FetchTreeTest, says_why_there_is_no_package_and_what_to_do) {
  set_python("echo No module named pip >&2; exit 1");
  const std::string message = failure();
  for (const std::string part : {"toys==1.0", "No module named pip", "toys/assets"}) {
    EXPECT_NE(message.find(part), std::string::npos) << part << " is missing in: " << message;
  }
}

TEST(TreeDigest, depends_on_names_and_contents) {
  std::string pattern = (fs::temp_directory_path() / "tree_digest-XXXXXX").string();
  ASSERT_NE(mkdtemp(pattern.data()), nullptr);
  const fs::path root = pattern;
  Scratch::write(root / "one/a", "x");
  Scratch::write(root / "renamed/b", "x");
  Scratch::write(root / "changed/a", "y");
  Scratch::write(root / "same/a", "x");
  EXPECT_EQ(tree_digest(root / "one"), tree_digest(root / "same"));
  EXPECT_NE(tree_digest(root / "one"), tree_digest(root / "renamed"));
  EXPECT_NE(tree_digest(root / "one"), tree_digest(root / "changed"));
  fs::remove_all(root);
}

}  // namespace
}  // namespace fleet
