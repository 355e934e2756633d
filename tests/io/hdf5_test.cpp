#include "io/hdf5.hpp"
#include "io/atomic_file.hpp"

#include <gtest/gtest.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iterator>
#include <limits>
#include <numeric>
#include <set>
#include <thread>

#include "base/error.hpp"
#include "complaint.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

using Ints = std::vector<std::int32_t>;
using Longs = std::vector<std::int64_t>;
using Reals = std::vector<double>;
using Texts = std::vector<std::string>;
using Shape = std::vector<std::size_t>;

class Hdf5Test : public testing::Test {
 protected:
  void SetUp() override {
    std::string pattern = (fs::temp_directory_path() / "hdf5_test-XXXXXX").string();
    ASSERT_NE(mkdtemp(pattern.data()), nullptr);
    directory_ = pattern;
    path_ = directory_ / "file.h5";
  }
  void TearDown() override { fs::remove_all(directory_); }

  /// Names of all files there are.
  std::set<std::string> files() const {
    std::set<std::string> names;
    for (const auto& entry : fs::directory_iterator(directory_)) names.insert(entry.path().filename());
    return names;
  }
  static std::string slurp(const fs::path& path) {
    std::ifstream in(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(in), {}};
  }
  Table round_trip(const Table& table) const {
    Hdf5Writer writer(path_);
    writer.write_table("table", table);
    writer.commit();
    return Hdf5Reader(path_).read_table("table");
  }

  fs::path directory_;
  fs::path path_;
};

TEST_F(Hdf5Test, a_text_attribute_is_as_long_as_is_said_and_no_longer) {
  const std::string text(kLongestText, 'x');
  Hdf5Writer writer(path_);
  writer.write_attribute("/", "config", text);
  EXPECT_THROW(writer.write_attribute("/", "longer", text + "x"), Error);
  writer.commit();
  EXPECT_EQ(Hdf5Reader(path_).read_text_attribute("/", "config"), text);
}

Table every_type() {
  Table table;
  table.add("small", Ints{1, -2, std::numeric_limits<std::int32_t>::min()});
  table.add("large", Longs{1, -2, std::numeric_limits<std::int64_t>::max()});
  table.add("real", Reals{0.1, -HUGE_VAL, std::numeric_limits<double>::denorm_min()});
  table.add("text", Texts{"", "zürich 東京 🤖", "two\nlines\tand a tab"});
  return table;
}

/// Values that hardly compress, so that a table of them is as large on disk as in memory.
Table noise(std::size_t rows) {
  Longs values(rows);
  std::uint64_t state = 1;
  for (std::int64_t& value : values) {
    state = state * 6364136223846793005U + 1442695040888963407U;
    value = static_cast<std::int64_t>(state ^ (state >> 29U));
  }
  Table table;
  table.add("noise", std::move(values));
  return table;
}

TEST_F(Hdf5Test, a_table_reads_back_as_written) {
  const Table table = every_type();
  EXPECT_EQ(round_trip(table).columns(), table.columns());
}

TEST_F(Hdf5Test, nan_reads_back_as_nan) {
  Table table;
  table.add("real", Reals{std::nan(""), 1.0});
  const Table read = round_trip(table);
  EXPECT_TRUE(std::isnan(read.column<double>("real")[0]));
  EXPECT_EQ(read.column<double>("real")[1], 1.0);
}

TEST_F(Hdf5Test, a_table_without_rows_keeps_its_columns) {
  Table table;
  table.add("small", Ints{});
  table.add("large", Longs{});
  table.add("real", Reals{});
  table.add("text", Texts{});
  const Table read = round_trip(table);
  EXPECT_EQ(read.columns(), table.columns());
  EXPECT_EQ(read.rows(), 0U);
}

TEST_F(Hdf5Test, a_column_of_empty_texts_reads_back) {
  Table table;
  table.add("reason", Texts{"", ""});
  EXPECT_EQ(round_trip(table).columns(), table.columns());
}

TEST_F(Hdf5Test, a_large_table_is_compressed_and_reads_back_as_written) {
  constexpr std::size_t kRows = 300000;
  Ints rounds(kRows);
  std::iota(rounds.begin(), rounds.end(), 0);
  Table table;
  table.add("round", std::move(rounds));
  table.add("split", Texts(kRows, "test"));
  table.add("value", Reals(kRows, 0.25));
  EXPECT_EQ(round_trip(table).columns(), table.columns());
  EXPECT_LT(fs::file_size(path_), kRows * 16 / 10);
  const Table random = noise(kRows);
  EXPECT_EQ(round_trip(random).columns(), random.columns());
}

TEST_F(Hdf5Test, a_table_of_one_very_wide_row_reads_back) {
  Table table;
  table.add("text", Texts{std::string(2U << 20U, 'x')});
  EXPECT_EQ(round_trip(table).columns(), table.columns());
}

TEST_F(Hdf5Test, arrays_in_groups_read_back_with_their_shapes) {
  const std::vector<float> weights{1.5F, -2.5F, 0.0F, 1e-30F, 3.0F, 4.0F};
  const Ints permutation{2, 0, 1};
  Hdf5Writer writer(path_);
  writer.write_array("weights/0/layers.0.weight", weights, Shape{2, 3});
  writer.write_array("weights/0/layers.0.bias", std::span(weights).first(2), Shape{2});
  writer.write_array("permutations/0/4/hidden", permutation, Shape{3});
  writer.commit();

  const Hdf5Reader reader(path_);
  Shape shape;
  EXPECT_EQ(reader.read_floats("weights/0/layers.0.weight", shape), weights);
  EXPECT_EQ(shape, (Shape{2, 3}));
  EXPECT_EQ(reader.read_integers("permutations/0/4/hidden", shape), permutation);
  EXPECT_EQ(shape, (Shape{3}));
  EXPECT_EQ(reader.names_in("weights/0"), (Texts{"layers.0.bias", "layers.0.weight"}));
  EXPECT_EQ(reader.names_in("/"), (Texts{"permutations", "weights"}));
  EXPECT_EQ(reader.names_in("weights/7/none"), Texts{});
  EXPECT_TRUE(reader.has("weights/0"));
  EXPECT_TRUE(reader.has("permutations/0/4/hidden"));
  EXPECT_FALSE(reader.has("weights/1"));
  EXPECT_FALSE(reader.has("nothing/of/the/kind"));
  EXPECT_THROW((void)reader.read_floats("weights/1/layers.0.weight", shape), Error);
}

TEST_F(Hdf5Test, the_same_contents_are_the_same_bytes) {
  const auto written = [&] {
    Hdf5Writer writer(path_);
    writer.write_array("numbers", std::array{1.0F, 2.0F}, std::array<std::size_t, 1>{2});
    writer.write_table("cells", every_type());
    writer.write_flags("flags", std::array<std::uint8_t, 2>{0, 1});
    writer.commit();
    std::ifstream file(path_, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  };
  const std::string first = written();
  std::this_thread::sleep_for(std::chrono::milliseconds(1100));  // HDF5 notes times in seconds
  EXPECT_EQ(written(), first);
}

TEST_F(Hdf5Test, attributes_read_back_from_files_groups_and_datasets) {
  const std::string config = "seed = 1\nname = \"größe\"\n";
  Hdf5Writer writer(path_);
  writer.write_table("cells", every_type());
  writer.write_attribute("/", "schema_version", std::int64_t{1} << 40U);
  writer.write_attribute("/", "config", config);
  writer.write_attribute("/", "empty", std::string());
  writer.write_attribute("cells", "axes", std::string("seed"));
  writer.write_attribute("provenance/build", "mpi",
                         std::string("4.1"));  // groups that nobody made before
  writer.write_attribute("provenance/build", "ranks", 5);
  writer.write_real_attribute("provenance/build", "load", 0.1);
  writer.commit();

  const Hdf5Reader reader(path_);
  EXPECT_EQ(reader.read_integer_attribute("/", "schema_version"), std::int64_t{1} << 40U);
  EXPECT_EQ(reader.read_text_attribute("/", "config"), config);
  EXPECT_EQ(reader.read_text_attribute("/", "empty"), "");
  EXPECT_EQ(reader.read_text_attribute("cells", "axes"), "seed");
  EXPECT_EQ(reader.read_text_attribute("provenance/build", "mpi"), "4.1");
  EXPECT_EQ(reader.read_real_attribute("provenance/build", "load"), 0.1);
  EXPECT_EQ(reader.read_integer_attribute("provenance/build", "ranks"), 5);
  for (const std::string object : {"/", "cells", "nothing"}) {
    const std::string message = complaint([&] { (void)reader.read_text_attribute(object, "absent"); });
    EXPECT_NE(message.find("absent"), std::string::npos) << message;
    EXPECT_NE(message.find(path_.string()), std::string::npos) << message;
  }
}

TEST_F(Hdf5Test, an_integer_attribute_makes_its_group_too) {
  Hdf5Writer writer(path_);
  ASSERT_EQ(complaint([&] { writer.write_attribute("provenance", "ranks", 5); }), "accepted");
  writer.commit();
  EXPECT_EQ(Hdf5Reader(path_).read_integer_attribute("provenance", "ranks"), 5);
}

TEST_F(Hdf5Test, a_file_appears_under_its_name_with_commit_and_not_before) {
  Hdf5Writer writer(path_);
  writer.write_table("table", every_type());
  EXPECT_FALSE(files().contains("file.h5"));
  writer.commit();
  EXPECT_EQ(files(), (std::set<std::string>{"file.h5"}));
}

TEST_F(Hdf5Test, without_commit_nothing_is_left) {
  {
    Hdf5Writer writer(path_);
    writer.write_table("table", every_type());
  }
  EXPECT_EQ(files(), std::set<std::string>{});
}

TEST_F(Hdf5Test, without_commit_the_file_of_before_stays) {
  round_trip(every_type());
  {
    Hdf5Writer writer(path_);
    writer.write_table("other", every_type());
  }
  EXPECT_EQ(files(), (std::set<std::string>{"file.h5"}));
  EXPECT_TRUE(Hdf5Reader(path_).has("table"));
}

TEST_F(Hdf5Test, the_same_name_twice_in_a_file_is_refused) {
  Hdf5Writer writer(path_);
  writer.write_table("table", every_type());
  EXPECT_NE(complaint([&] { writer.write_table("table", every_type()); }).find("table"), std::string::npos);
}

TEST_F(Hdf5Test, a_directory_that_cannot_be_written_is_named) {
  std::ofstream(directory_ / "plain") << "no directory";
  for (const fs::path& parent : {directory_ / "absent", directory_ / "plain"}) {
    const std::string message = complaint([&] { Hdf5Writer writer(parent / "file.h5"); });
    EXPECT_NE(message.find((parent / "file.h5").string()), std::string::npos) << message;
  }
  EXPECT_NE(complaint([&] { Hdf5Writer(directory_ / "absent" / "file.h5"); }).find("there is no folder"),
            std::string::npos);
}

TEST_F(Hdf5Test, a_name_taken_by_a_directory_is_refused_at_commit_and_nothing_is_left) {
  fs::create_directories(path_ / "inside");
  Hdf5Writer writer(path_);
  writer.write_table("table", every_type());
  const std::string message = complaint([&] { writer.commit(); });
  EXPECT_NE(message.find(path_.string()), std::string::npos) << message;
  EXPECT_EQ(files(), (std::set<std::string>{"file.h5"}));
}

TEST_F(Hdf5Test, a_missing_file_is_named) {
  const std::string message = complaint([&] { Hdf5Reader reader(path_); });
  EXPECT_EQ(message, "there is no file " + path_.string());
}

TEST_F(Hdf5Test, a_foreign_file_is_refused) {
  for (const std::string bytes : {"", "cell,value\n0,1\n", "\x89HDF\r\n\x1a\n but no more"}) {
    std::ofstream(path_, std::ios::binary) << bytes;
    const std::string message = complaint([&] { Hdf5Reader reader(path_); });
    EXPECT_NE(message.find(path_.string()), std::string::npos) << message;
    EXPECT_NE(message.find("not an HDF5 file"), std::string::npos) << message;
  }
  EXPECT_THROW(Hdf5Reader reader(directory_), Error);
}

TEST_F(Hdf5Test, a_file_truncated_anywhere_is_refused) {
  round_trip(noise(2000));
  const std::uintmax_t whole = fs::file_size(path_);
  const fs::path cut = directory_ / "cut.h5";
  for (std::uintmax_t length = 0; length < whole; length += 97) {
    fs::copy_file(path_, cut, fs::copy_options::overwrite_existing);
    fs::resize_file(cut, length);
    const std::string message = complaint([&] { Hdf5Reader reader(cut); });
    EXPECT_NE(message.find(cut.string()), std::string::npos) << length << ": " << message;
  }
  fs::resize_file(path_, whole - 1);
  EXPECT_THROW(Hdf5Reader reader(path_), Error);
}

TEST_F(Hdf5Test, what_is_not_a_table_is_refused_by_name) {
  Hdf5Writer writer(path_);
  writer.write_array("weights/0/w", std::vector<float>{1.0F}, Shape{1});
  writer.commit();
  const Hdf5Reader reader(path_);
  for (const std::string name : {"weights", "weights/0/w", "absent"}) {
    EXPECT_NE(complaint([&] { (void)reader.read_table(name); }).find(name), std::string::npos);
  }
}

/// No file of this process grows beyond `bytes` from here on, as on a full disk.
void limit_file_size(std::uintmax_t bytes) {
  signal(SIGXFSZ, SIG_IGN);
  const rlimit limit{static_cast<rlim_t>(bytes), static_cast<rlim_t>(bytes)};
  if (setrlimit(RLIMIT_FSIZE, &limit) != 0) std::exit(99);
}

class FullDiskTest : public Hdf5Test {
 protected:
  /// Ends the process, with 0 if writing `table` throws an Error and leaves nothing.
  [[noreturn]] void write_within(std::uintmax_t bytes, const Table& table) const {
    limit_file_size(bytes);
    const std::string message = complaint([&] {
      Hdf5Writer writer(path_);
      writer.write_table("table", table);
      writer.commit();
    });
    std::exit(message == "accepted" ? 1 : files().empty() ? 0 : 2);
  }
  /// At whatever point of writing the disk is full.
  void expect_refused_at_every_limit(const Table& table) {
    round_trip(table);
    const std::uintmax_t whole = fs::file_size(path_);
    fs::remove(path_);
    constexpr std::uintmax_t kLimits = 12;
    for (std::uintmax_t i = 0; i < kLimits; ++i) {
      const std::uintmax_t limit = i * whole / kLimits;
      EXPECT_EXIT(write_within(limit, table), testing::ExitedWithCode(0), "") << limit << " of " << whole << " bytes";
      fs::remove(path_);
    }
    EXPECT_EXIT(write_within(whole - 1, table), testing::ExitedWithCode(0), "");
    EXPECT_EQ(files(), std::set<std::string>{});
    EXPECT_EXIT(write_within(whole, table), testing::ExitedWithCode(1), "") << "but for want of space it is written";
  }
};

TEST_F(FullDiskTest, a_small_table_throws_and_leaves_nothing) {
  expect_refused_at_every_limit(every_type());
}

TEST_F(FullDiskTest, a_compressed_table_throws_and_leaves_nothing) {
  expect_refused_at_every_limit(noise(20000));
}

TEST_F(FullDiskTest, a_table_of_several_chunks_throws_and_leaves_nothing) {
  expect_refused_at_every_limit(noise(400000));
}

TEST_F(FullDiskTest, the_message_names_the_file) {
  EXPECT_EXIT(
      {
        limit_file_size(1000);
        const std::string message = complaint([&] {
          Hdf5Writer writer(path_);
          writer.write_table("table", every_type());
          writer.commit();
        });
        std::exit(message.find(path_.string()) != std::string::npos ? 0 : 1);
      },
      testing::ExitedWithCode(0), "");
}

/// Puts a disk of `bytes` at `directory`, for this process alone. False where that is not allowed.
bool mount_tiny_disk(const fs::path& directory, std::size_t bytes) {
  if (unshare(CLONE_NEWNS) != 0 && unshare(CLONE_NEWUSER | CLONE_NEWNS) != 0) return false;
  mount("none", "/", nullptr, MS_REC | MS_PRIVATE, nullptr);
  return mount("tmpfs", directory.c_str(), "tmpfs", 0, cat("size=", bytes).c_str()) == 0;
}

bool tiny_disks_are_allowed(const fs::path& directory) {
  const pid_t child = fork();
  if (child == 0) _exit(mount_tiny_disk(directory, 1U << 16U) ? 0 : 1);
  int status = 1;
  return waitpid(child, &status, 0) == child && status == 0;
}

// Unlike a limit on its size, a full disk still lets a file grow by a hole where its data should be.
TEST_F(FullDiskTest, on_a_full_disk_compressed_data_are_not_lost_silently) {
  if (!tiny_disks_are_allowed(directory_)) GTEST_SKIP() << "no right to mount";
  constexpr std::size_t kDisk = 1U << 18U;
  for (const std::size_t taken : {std::size_t{0}, kDisk / 2, kDisk - 8192, kDisk - 4096}) {
    EXPECT_EXIT(
        {
          if (!mount_tiny_disk(directory_, kDisk)) std::exit(99);
          std::ofstream(directory_ / "other") << std::string(taken, 'x');
          const Table table = noise(20000);
          const std::string message = complaint([&] { round_trip(table); });
          if (message != "accepted") std::exit(files() == std::set<std::string>{"other"} ? 0 : 2);
          std::exit(Hdf5Reader(path_).read_table("table").columns() == table.columns() ? 0 : 1);
        },
        testing::ExitedWithCode(0), "")
        << taken << " of " << kDisk << " bytes taken";
  }
}

}  // namespace
}  // namespace fleet
