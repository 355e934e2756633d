#include "io/replaceable.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "io/model_file.hpp"
#include "io/results.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

bool is_ours(const fs::path& file) {
  return Scratch::read(file) == "ours";
}
constexpr FileKind kOurs{"kind of file", is_ours};

class ReplaceableTest : public testing::Test {
 protected:
  Scratch scratch_;
  fs::path path_ = scratch_.path() / "file";
};

TEST_F(ReplaceableTest, is_what_is_not_there_or_ours) {
  EXPECT_EQ(why_not_replaceable(path_, kOurs), "");
  EXPECT_EQ(why_not_replaceable(scratch_.path() / "absent" / "file", kOurs), "");
  Scratch::write(path_, "ours");
  EXPECT_EQ(why_not_replaceable(path_, kOurs), "");
}

TEST_F(ReplaceableTest, is_no_other_file_no_link_and_no_directory) {
  Scratch::write(path_, "mine");
  EXPECT_EQ(
      why_not_replaceable(path_, kOurs),
      path_.string() +
          " is there already, and is no kind of file of this program, or is damaged; it is left as it is: move it "
          "away, or choose another place");
  EXPECT_THROW(require_replaceable(path_, kOurs), ConfigError);
  Scratch::write(scratch_.path() / "ours", "ours");
  fs::remove(path_);
  fs::create_symlink("ours", path_);
  EXPECT_NE(why_not_replaceable(path_, kOurs).find(" is a symbolic link; "), std::string::npos);
  fs::remove(path_);
  fs::create_symlink("absent", path_);
  EXPECT_NE(why_not_replaceable(path_, kOurs).find(" is a symbolic link; "), std::string::npos);
  fs::remove(path_);
  fs::create_directory(path_);
  EXPECT_NE(why_not_replaceable(path_, kOurs).find(" is a directory; "), std::string::npos);
}

TEST_F(ReplaceableTest, half_written_ones_are_removed_unless_it_is_refused) {
  const fs::path half = path_.string() + ".fleet-host.7.tmp";
  const fs::path others = path_.string() + "2.fleet-host.7.tmp";
  for (const fs::path& file : {half, others}) Scratch::write(file, "half");
  Scratch::write(path_, "mine");
  EXPECT_THROW(require_replaceable(path_, kOurs), ConfigError);
  EXPECT_TRUE(fs::exists(half));
  Scratch::write(path_, "ours");
  require_replaceable(path_, kOurs);
  EXPECT_FALSE(fs::exists(half));
  EXPECT_TRUE(fs::exists(others));
}

// Whoever can make a file of one kind anew cannot make that of another.
TEST_F(ReplaceableTest, results_barriers_and_models_are_told_apart) {
  Provenance provenance;
  for (const char* key : {"fleet_version", "git_revision", "mpi", "libtorch", "hdf5", "blas", "hosts", "command_line",
                          "started", "finished"}) {
    provenance[key] = "x";
  }
  const fs::path cell = scratch_.path() / "cell.h5";
  const fs::path barrier = scratch_.path() / "barrier.h5";
  const fs::path joined = scratch_.path() / "joined.h5";
  const fs::path other = scratch_.path() / "other.h5";
  write_cell_file(cell, "sweep", "", CellRecord{.id = "cell"}, provenance);
  write_cell_file(barrier, kBarrier, "", CellRecord{.id = "c"}, provenance);
  join_cell_files(std::vector{cell}, "", {}, joined);
  Hdf5Writer(other).commit();
  const std::vector<fs::path> files{cell, barrier, joined, other};
  const auto own = [&](const FileKind& kind) {
    std::string names;
    for (const fs::path& file : files) names += kind.is_own(file) ? file.stem().string() + " " : "";
    return names;
  };
  EXPECT_EQ(own(kJoinedResults), "joined ");
  EXPECT_EQ(own(kBarrierResults), "barrier ");
  EXPECT_EQ(own(kModelFile), "");
}

TEST_F(ReplaceableTest, what_is_set_aside_takes_no_other_files_place) {
  EXPECT_EQ(set_aside(path_), "");
  for (const char* text : {"one", "two", "three"}) {
    Scratch::write(path_, text);
    const fs::path kept = set_aside(path_);
    EXPECT_EQ(Scratch::read(kept), text);
    EXPECT_FALSE(fs::exists(path_));
  }
  EXPECT_EQ(Scratch::read(path_.string() + ".replaced"), "one");
  EXPECT_EQ(Scratch::read(path_.string() + ".replaced-3"), "three");
}

TEST(SomeOf, names_the_first_in_order_and_counts_the_others) {
  EXPECT_EQ(some_of({"b", "a"}), "a, b");
  EXPECT_EQ(some_of({"e", "d", "c", "b", "a"}), "a, b, c and 2 more");
  EXPECT_EQ(some_of({"a\n\x1b[2J"}), "a??[2J");
}

}  // namespace
}  // namespace fleet
