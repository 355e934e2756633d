// What another program has merely opened for writing is whole; what it has changed, or a disk has, is not.
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <array>

#include "base/error.hpp"
#include "io/hdf5.hpp"
#include "io/other_program.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

const std::vector<float> kWeights = {1.5F, -2.0F, 0.25F};
constexpr std::size_t kSeal = 22;  // bytes of the line behind the file

class Hdf5SealTest : public testing::Test {
 protected:
  void SetUp() override { write("a text"); }

  void write(const std::string& text) const {
    Hdf5Writer writer(path_);
    writer.write_attribute("/", "text", text);
    writer.write_array("weights/w", kWeights, std::array{kWeights.size()});
    writer.commit();
  }
  void touch() const {
    edit_elsewhere(path_, [](hid_t) {});
  }
  /// Cuts off the outer seal without help of the library.
  void cut() const { fs::resize_file(path_, fs::file_size(path_) - kSeal); }

  std::string complaint() const {
    try {
      const Hdf5Reader reader(path_);
      std::vector<std::size_t> shape;
      EXPECT_EQ(reader.read_floats("weights/w", shape), kWeights) << "accepted, so it must be right";
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(path_.string()), std::string::npos) << error.what();
      return error.what();
    }
    return "accepted";
  }
  void expect_complaint(const std::string& part) const {
    const std::string said = complaint();
    EXPECT_NE(said.find(part), std::string::npos) << said;
  }

  Scratch scratch_;
  fs::path path_ = scratch_.path() / "file.h5";
};

TEST_F(Hdf5SealTest, what_was_opened_for_writing_elsewhere_and_not_changed_is_read) {
  const std::uintmax_t sealed = fs::file_size(path_);
  touch();
  ASSERT_EQ(fs::file_size(path_), sealed - kSeal) << "HDF5 has cut off what is behind its end";
  EXPECT_EQ(complaint(), "accepted");
  EXPECT_TRUE(Hdf5Reader(path_).is_own());
  EXPECT_TRUE(Hdf5Reader(path_, Hdf5Reader::Origin::kAnywhere).is_own());
  touch();
  EXPECT_EQ(complaint(), "accepted") << "any number of times";
}

TEST_F(Hdf5SealTest, what_was_changed_elsewhere_is_refused_as_changed) {
  const std::vector<void (*)(hid_t)> changes = {
      [](hid_t file) {
        const hid_t set = H5Dopen2(file, "weights/w", H5P_DEFAULT);
        const std::array<float, 3> others = {1.5F, -2.0F, 0.5F};
        H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, others.data());
        H5Dclose(set);
      },
      [](hid_t file) { H5Adelete(file, "text"); }, [](hid_t file) { H5Ldelete(file, "weights/w", H5P_DEFAULT); },
      [](hid_t file) { H5Gclose(H5Gcreate2(file, "more", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)); }};
  for (const auto change : changes) {
    write("a text");
    edit_elsewhere(path_, change);
    expect_complaint("has been changed by another program");
    EXPECT_FALSE(Hdf5Reader(path_, Hdf5Reader::Origin::kAnywhere).is_own()) << "what anybody may write is theirs";
  }
}

TEST_F(Hdf5SealTest, without_its_seal_no_flipped_bit_is_overlooked) {
  cut();
  const std::string whole = Scratch::read(path_);
  constexpr std::size_t kStep = 29;  // odd, so that every bit of a byte has its turn
  for (std::size_t bit = 0; bit < 8 * whole.size(); bit += kStep) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    Scratch::write(path_, flipped);
    ASSERT_NE(complaint(), "accepted") << bit;
  }
}

TEST_F(Hdf5SealTest, no_flipped_bit_of_the_seal_is_overlooked) {
  const std::string whole = Scratch::read(path_);
  for (std::size_t bit = 8 * (whole.size() - kSeal); bit < 8 * whole.size(); ++bit) {
    std::string flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    Scratch::write(path_, flipped);
    ASSERT_NE(complaint(), "accepted") << bit;
  }
}

TEST_F(Hdf5SealTest, a_file_without_its_seal_that_is_too_short_or_too_long_is_refused) {
  cut();
  const std::string whole = Scratch::read(path_);
  for (std::size_t length = 0; length < whole.size(); length += 41) {
    Scratch::write(path_, whole.substr(0, length));
    ASSERT_NE(complaint(), "accepted") << length;
  }
  Scratch::write(path_, whole + "x");
  EXPECT_NE(complaint(), "accepted");
}

TEST_F(Hdf5SealTest, files_of_before_there_was_an_inner_seal_are_read_as_long_as_they_have_theirs) {
  edit_elsewhere(path_, [](hid_t file) { H5Adelete(file, "bytes_crc32"); });
  seal_again(path_);
  EXPECT_EQ(complaint(), "accepted");
  touch();
  expect_complaint("another has opened it for writing");
}

TEST_F(Hdf5SealTest, texts_that_look_like_a_seal_do_no_harm) {
  write("fleet bytes CRC-32 00000000");
  EXPECT_EQ(complaint(), "accepted");
  touch();
  EXPECT_EQ(complaint(), "accepted");
  EXPECT_EQ(Hdf5Reader(path_).read_text_attribute("/", "text"), "fleet bytes CRC-32 00000000");
}

TEST_F(Hdf5SealTest, a_large_file_of_another_kind_is_refused_at_once) {
  std::ofstream(path_) << "none of ours";
  fs::resize_file(path_, std::uintmax_t{1} << 33U);  // which no disk holds, as all but its begin is empty
  expect_complaint("is not an HDF5 file");
  EXPECT_THROW((Hdf5Reader{path_, Hdf5Reader::Origin::kAnywhere}), Error);
}

TEST_F(Hdf5SealTest, folders_and_pipes_are_no_files) {
  const fs::path pipe = scratch_.path() / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  for (const fs::path& path : {scratch_.path(), pipe}) {
    EXPECT_THROW(Hdf5Reader{path}, Error);
    EXPECT_THROW((Hdf5Reader{path, Hdf5Reader::Origin::kAnywhere}), Error);
  }
}

}  // namespace
}  // namespace fleet
