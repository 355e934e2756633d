// Whatever stands in a file under the name of an array, a table or an attribute, it is read right or refused by name.
#include <gtest/gtest.h>

#include <array>
#include <functional>
#include <limits>

#include "base/error.hpp"
#include "io/hdf5.hpp"
#include "io/other_program.hpp"
#include "scratch.hpp"

namespace fleet {
namespace {

namespace fs = std::filesystem;

using Ints = std::vector<std::int32_t>;
using Longs = std::vector<std::int64_t>;
using Reals = std::vector<double>;
using Texts = std::vector<std::string>;
using Shape = std::vector<std::size_t>;
using Make = std::function<void(hid_t file)>;

hid_t space_of(const std::vector<hsize_t>& extents) {
  return H5Screate_simple(static_cast<int>(extents.size()), extents.data(), nullptr);
}

/// Makes the dataset "x"; `values`, in memory of the type `memory`, may be none.
Make array(hid_t type, std::vector<hsize_t> extents, hid_t memory, const void* values, hid_t creation = H5P_DEFAULT) {
  return [=](hid_t file) {
    const hid_t space = space_of(extents);
    const hid_t set = H5Dcreate2(file, "x", type, space, H5P_DEFAULT, creation, H5P_DEFAULT);
    EXPECT_GE(set, 0);
    if (values != nullptr) {
      EXPECT_GE(H5Dwrite(set, memory, H5S_ALL, H5S_ALL, H5P_DEFAULT, values), 0);
    }
    H5Dclose(set);
    H5Sclose(space);
  };
}

hid_t chunked(hsize_t chunk) {
  const hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(creation, 1, &chunk);
  return creation;
}

/// A compound of one column, of a type.
hid_t row_of(const char* column, hid_t type) {
  const hid_t row = H5Tcreate(H5T_COMPOUND, H5Tget_size(type));
  H5Tinsert(row, column, 0, type);
  return row;
}

hid_t text_of(std::size_t length, H5T_str_t padding) {
  const hid_t type = H5Tcopy(H5T_C_S1);
  H5Tset_size(type, length);
  H5Tset_strpad(type, padding);
  return type;
}

class Hdf5StrangersTest : public testing::Test {
 protected:
  /// A sealed file in which `make` has done its work.
  void made_by(const Make& make) const {
    {
      Hdf5Writer writer(path_);
      writer.write_attribute("/", "own", 1);
      writer.commit();
    }
    edit_elsewhere(path_, make);
    seal_again(path_);
  }
  template <class Read>
  std::string complaint(const Read& read) const {
    try {
      read(Hdf5Reader(path_));
    } catch (const Error& error) {
      return error.what();
    }
    return "accepted";
  }
  /// Error that names the file, the object and what was found.
  template <class Read>
  void expect_refused(const Read& read, const std::string& object, const std::string& found) const {
    const std::string said = complaint(read);
    for (const std::string& part : {path_.string(), object, found}) {
      EXPECT_NE(said.find(part), std::string::npos) << part << " is not in: " << said;
    }
    EXPECT_EQ(said.find("No such file"), std::string::npos) << said;
  }

  static void read_floats(const Hdf5Reader& reader) {
    Shape shape;
    (void)reader.read_floats("x", shape);
  }
  static void read_integers(const Hdf5Reader& reader) {
    Shape shape;
    (void)reader.read_integers("x", shape);
  }
  static void read_table(const Hdf5Reader& reader) { (void)reader.read_table("x"); }

  Scratch scratch_;
  fs::path path_ = scratch_.path() / "strange.h5";
};

TEST_F(Hdf5StrangersTest, numbers_of_any_width_and_byte_order_are_the_same_numbers) {
  const std::array<double, 4> values = {0, 1, 2, 100};
  Shape shape;
  for (const hid_t type : {H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_I32BE, H5T_STD_U32LE, H5T_STD_I64LE, H5T_STD_U64BE}) {
    made_by(array(type, {4}, H5T_NATIVE_DOUBLE, values.data()));
    EXPECT_EQ(Hdf5Reader(path_).read_integers("x", shape), (Ints{0, 1, 2, 100}));
    EXPECT_EQ(Hdf5Reader(path_).read_floats("x", shape), (std::vector<float>{0, 1, 2, 100}));
  }
  for (const hid_t type : {H5T_IEEE_F32BE, H5T_IEEE_F64LE, H5T_IEEE_F64BE, H5T_NATIVE_LDOUBLE}) {
    made_by(array(type, {2, 2}, H5T_NATIVE_DOUBLE, values.data()));
    EXPECT_EQ(Hdf5Reader(path_).read_floats("x", shape), (std::vector<float>{0, 1, 2, 100}));
    EXPECT_EQ(shape, (Shape{2, 2}));
    expect_refused(read_integers, "x", "reals");
  }
}

TEST_F(Hdf5StrangersTest, numbers_that_do_not_fit_are_refused) {
  const std::array<std::int64_t, 2> longs = {1, std::int64_t{1} << 31U};
  made_by(array(H5T_STD_I64LE, {2}, H5T_NATIVE_INT64, longs.data()));
  expect_refused(read_integers, "x", "2147483648");
  const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  made_by(array(H5T_STD_U64LE, {1}, H5T_NATIVE_UINT64, &largest));
  expect_refused(read_integers, "x", "18446744073709551615");
  const hid_t type = H5Tcopy(H5T_STD_I64LE);
  H5Tset_size(type, 16);
  made_by(array(type, {2}, H5T_NATIVE_INT64, longs.data()));
  expect_refused(read_integers, "x", "whole numbers of 128 bits");
  expect_refused(read_floats, "x", "whole numbers of 128 bits");
  made_by(array(row_of("a", type), {2}, row_of("a", H5T_NATIVE_INT64), longs.data()));
  expect_refused(read_table, "column a of x", "whole numbers of 128 bits");
  const double wide = 1e300;
  made_by(array(H5T_IEEE_F64LE, {1}, H5T_NATIVE_DOUBLE, &wide));
  expect_refused(read_floats, "x", "1e+300");
}

TEST_F(Hdf5StrangersTest, arrays_of_what_is_no_number_are_refused) {
  const hid_t row = row_of("a", H5T_NATIVE_INT32);
  const hsize_t two = 2;
  const hid_t text = text_of(8, H5T_STR_NULLPAD);
  const hid_t any_length = text_of(H5T_VARIABLE, H5T_STR_NULLTERM);
  const std::array<char, 64> zeros{};
  const std::pair<hid_t, const char*> kinds[] = {{row, "records"},
                                                 {text, "texts"},
                                                 {H5Tarray_create2(H5T_NATIVE_INT32, 1, &two), "arrays"},
                                                 {H5Tvlen_create(H5T_NATIVE_INT32), "lists"},
                                                 {any_length, "texts"},
                                                 {H5Tcreate(H5T_OPAQUE, 4), "bytes"}};
  for (const auto& [type, found] : kinds) {
    made_by(array(type, {2}, type, zeros.data()));
    expect_refused(read_floats, "x", found);
    expect_refused(read_integers, "x", found);
  }
}

TEST_F(Hdf5StrangersTest, a_size_that_the_file_cannot_hold_is_refused_before_there_is_memory_for_it) {
  constexpr hsize_t kMany = 1'000'000'000'000;
  made_by(array(H5T_NATIVE_FLOAT, {kMany}, 0, nullptr, chunked(1024)));
  expect_refused(read_floats, "x", "1000000000000 values, of which none was ever written");
  made_by(array(row_of("a", H5T_NATIVE_INT32), {kMany}, 0, nullptr, chunked(1024)));
  expect_refused(read_table, "x", "1000000000000");
  made_by([&](hid_t file) {  // one chunk of them is there
    const hid_t space = space_of({kMany});
    const hid_t set = H5Dcreate2(file, "x", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, chunked(1024), H5P_DEFAULT);
    const hsize_t first = 0, count = 4;
    const hid_t few = space_of({count});
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, nullptr, &count, nullptr);
    const std::array<float, 4> values = {1, 2, 3, 4};
    EXPECT_GE(H5Dwrite(set, H5T_NATIVE_FLOAT, few, space, H5P_DEFAULT, values.data()), 0);
    H5Dclose(set);
  });
  expect_refused(read_floats, "x", "the file holds 4096 bytes");
  constexpr hsize_t kSide = hsize_t{1} << 31U;
  const hsize_t chunk[3] = {1, 1, 1024};
  const hid_t cubes = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_chunk(cubes, 3, chunk);
  made_by(array(H5T_NATIVE_FLOAT, {kSide, kSide, kSide}, 0, nullptr, cubes));
  expect_refused(read_floats, "x", "more values than there are addresses");
}

TEST_F(Hdf5StrangersTest, more_chunks_than_bytes_are_refused_before_each_is_looked_for) {
  constexpr hsize_t kMany = 1'000'000;
  const std::vector<float> values(1000, 1.0F);
  made_by([&](hid_t file) {  // a thousand of them are there
    const hid_t space = space_of({kMany});
    const hid_t set = H5Dcreate2(file, "x", H5T_NATIVE_FLOAT, space, H5P_DEFAULT, chunked(1), H5P_DEFAULT);
    const hsize_t first = 0, count = values.size();
    const hid_t few = space_of({count});
    H5Sselect_hyperslab(space, H5S_SELECT_SET, &first, nullptr, &count, nullptr);
    EXPECT_GE(H5Dwrite(set, H5T_NATIVE_FLOAT, few, space, H5P_DEFAULT, values.data()), 0);
    H5Dclose(set);
  });
  ASSERT_LT(fs::file_size(path_), kMany);
  expect_refused(read_floats, "x", "1000000 chunks");
  made_by(array(H5T_NATIVE_FLOAT, {values.size()}, H5T_NATIVE_FLOAT, values.data(), chunked(1)));
  Shape shape;
  EXPECT_EQ(Hdf5Reader(path_).read_floats("x", shape), values);
}

TEST_F(Hdf5StrangersTest, what_compresses_well_is_read) {
  const std::vector<float> zeros(3'000'000, 0.0F);
  const hid_t creation = chunked(1'000'000);
  H5Pset_deflate(creation, 9);
  made_by(array(H5T_NATIVE_FLOAT, {zeros.size()}, H5T_NATIVE_FLOAT, zeros.data(), creation));
  ASSERT_LT(fs::file_size(path_), zeros.size() / 100);
  Shape shape;
  EXPECT_EQ(Hdf5Reader(path_).read_floats("x", shape), zeros);
}

TEST_F(Hdf5StrangersTest, shapes_are_what_they_are) {
  const std::array<float, 4> values = {1, 2, 3, 4};
  Shape shape;
  made_by(array(H5T_NATIVE_FLOAT, {1, 1, 1, 1, 2, 1, 2}, H5T_NATIVE_FLOAT, values.data()));
  EXPECT_EQ(Hdf5Reader(path_).read_floats("x", shape).size(), 4U);
  EXPECT_EQ(shape, (Shape{1, 1, 1, 1, 2, 1, 2}));
  made_by(array(H5T_NATIVE_FLOAT, {0}, H5T_NATIVE_FLOAT, nullptr));
  EXPECT_TRUE(Hdf5Reader(path_).read_floats("x", shape).empty());
  for (const H5S_class_t kind : {H5S_SCALAR, H5S_NULL}) {
    made_by([&](hid_t file) {
      const hid_t set = H5Dcreate2(file, "x", H5T_NATIVE_FLOAT, H5Screate(kind), H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
      H5Dwrite(set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data());
      H5Dclose(set);
    });
    if (kind == H5S_NULL) {
      expect_refused(read_floats, "x", "holds nothing");
    } else {
      EXPECT_EQ(Hdf5Reader(path_).read_floats("x", shape), std::vector<float>{1});
      EXPECT_TRUE(shape.empty());
    }
  }
}

TEST_F(Hdf5StrangersTest, links_are_not_followed) {
  const std::vector<float> values = {1, 2};
  const fs::path other = scratch_.path() / "other.h5";
  {
    Hdf5Writer writer(other);
    writer.write_array("group/x", values, Shape{2});
    writer.commit();
  }
  made_by([&](hid_t file) {
    H5Lcreate_external(other.c_str(), "group/x", file, "x", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_external(other.c_str(), "group", file, "group", H5P_DEFAULT, H5P_DEFAULT);
    H5Lcreate_soft("/", file, "circle", H5P_DEFAULT, H5P_DEFAULT);
  });
  Shape shape;
  expect_refused(read_floats, "x", "link to group/x of another file, " + other.string());
  expect_refused([](const Hdf5Reader& r) { (void)r.has("x"); }, "x", "link");
  expect_refused([](const Hdf5Reader& r) { (void)r.has("group/x"); }, "group", "link");
  expect_refused([](const Hdf5Reader& r) { (void)r.names_in("circle"); }, "circle", "link to /");
  expect_refused([](const Hdf5Reader& r) { (void)r.read_text_attribute("group", "a"); }, "group", "link");
  expect_refused([](const Hdf5Reader& r) { (void)r.has_attribute("circle", "own"); }, "circle", "link");
}

TEST_F(Hdf5StrangersTest, bytes_that_lie_in_other_files_are_not_read) {
  const fs::path raw = scratch_.path() / "raw.bin";
  Scratch::write(raw, std::string(16, 'x'));
  const hid_t external = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_external(external, raw.c_str(), 0, 16);
  made_by(array(H5T_NATIVE_FLOAT, {4}, 0, nullptr, external));
  expect_refused(read_floats, "x", "in another file");
  const hid_t pieces = H5Pcreate(H5P_DATASET_CREATE);
  H5Pset_virtual(pieces, space_of({4}), raw.c_str(), "y", space_of({4}));
  made_by(array(H5T_NATIVE_FLOAT, {4}, 0, nullptr, pieces));
  expect_refused(read_floats, "x", "put together from other arrays");
}

TEST_F(Hdf5StrangersTest, a_filter_that_is_missing_is_named) {
  constexpr H5Z_filter_t kFilter = 32000;  // which h5py brings along
  const H5Z_func_t copy = [](unsigned, std::size_t, const unsigned*, std::size_t bytes, std::size_t*, void**) {
    return bytes;
  };
  const H5Z_class2_t filter = {H5Z_CLASS_T_VERS, kFilter, 1, 1, "lzf", nullptr, nullptr, copy};
  H5Zregister(&filter);
  const std::array<float, 2> values = {1, 2};
  const hid_t creation = chunked(2);
  H5Pset_filter(creation, kFilter, H5Z_FLAG_OPTIONAL, 0, nullptr);
  made_by(array(H5T_NATIVE_FLOAT, {2}, H5T_NATIVE_FLOAT, values.data(), creation));
  Shape shape;
  EXPECT_EQ(Hdf5Reader(path_).read_floats("x", shape), (std::vector<float>{1, 2}));
  H5Zunregister(kFilter);
  expect_refused(read_floats, "x", "compressed with lzf (HDF5 filter 32000)");
}

TEST_F(Hdf5StrangersTest, groups_types_and_arrays_are_told_apart) {
  made_by([](hid_t file) { H5Gclose(H5Gcreate2(file, "x", H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT)); });
  expect_refused(read_floats, "x", "is a group; expected an array of numbers");
  expect_refused(read_table, "x", "is a group; expected a table");
  EXPECT_TRUE(Hdf5Reader(path_).is_group("x"));
  made_by([](hid_t file) {
    const hid_t type = H5Tcopy(H5T_NATIVE_INT32);
    H5Tcommit2(file, "x", type, H5P_DEFAULT, H5P_DEFAULT, H5P_DEFAULT);
  });
  expect_refused(read_integers, "x", "is a type");
  const float value = 1;
  made_by(array(H5T_NATIVE_FLOAT, {1}, H5T_NATIVE_FLOAT, &value));
  expect_refused([](const Hdf5Reader& r) { (void)r.names_in("x"); }, "x", "expected a group");
  EXPECT_FALSE(Hdf5Reader(path_).has("x/y"));
  EXPECT_FALSE(Hdf5Reader(path_).is_group("x"));
  expect_refused([](const Hdf5Reader& r) { (void)r.read_table("y"); }, "y", "expected a table");
}

TEST_F(Hdf5StrangersTest, columns_of_any_width_are_the_same_numbers_and_texts) {
  struct Row {
    std::int64_t integer;
    double real;
    char fixed[6];
    const char* any;
  };
  const std::array<Row, 2> rows = {{{1, 0.5, "ab   ", "any"}, {200, -2.0, "c    ", nullptr}}};
  const hid_t file_text = text_of(5, H5T_STR_SPACEPAD);
  const hid_t any = text_of(H5T_VARIABLE, H5T_STR_NULLTERM);
  const auto row_type = [&](hid_t integer, hid_t real, hid_t text, bool packed) {
    const hid_t type = H5Tcreate(H5T_COMPOUND, sizeof(Row));
    H5Tinsert(type, "integer", offsetof(Row, integer), integer);
    H5Tinsert(type, "real", offsetof(Row, real), real);
    H5Tinsert(type, "fixed", offsetof(Row, fixed), text);
    H5Tinsert(type, "any", offsetof(Row, any), any);
    if (packed) H5Tpack(type);
    return type;
  };
  const hid_t memory = row_type(H5T_NATIVE_INT64, H5T_NATIVE_DOUBLE, file_text, false);
  for (const bool packed : {true, false}) {
    for (const hid_t integer : {H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_I32BE, H5T_STD_I64BE, H5T_STD_U64LE}) {
      made_by(array(row_type(integer, H5T_IEEE_F32BE, file_text, packed), {2}, memory, rows.data()));
      Table table = Hdf5Reader(path_).read_table("x");
      table.convert({"integer", ColumnType::kLong});
      EXPECT_EQ(table.column<std::int64_t>("integer"), (Longs{1, 200}));
      EXPECT_EQ(table.column<double>("real"), (Reals{0.5, -2.0}));
      EXPECT_EQ(table.column<std::string>("fixed"), (Texts{"ab", "c"}));
      EXPECT_EQ(table.column<std::string>("any"), (Texts{"any", ""}));
    }
  }
  constexpr std::array kWanted = {ColumnSpec{"integer", ColumnType::kInteger}};
  expect_refused([&](const Hdf5Reader& r) { (void)r.read_table("x", kWanted); }, "column integer", "64 bits");
}

TEST_F(Hdf5StrangersTest, columns_that_are_no_numbers_or_texts_are_refused) {
  const hsize_t two = 2;
  const std::array<char, 64> zeros{};
  const std::pair<hid_t, const char*> kinds[] = {{row_of("b", H5T_NATIVE_INT32), "records"},
                                                 {H5Tarray_create2(H5T_NATIVE_INT32, 1, &two), "arrays"},
                                                 {H5Tvlen_create(H5T_NATIVE_INT32), "lists"},
                                                 {H5T_STD_REF_OBJ, "references"},
                                                 {H5Tcreate(H5T_OPAQUE, 4), "bytes"}};
  for (const auto& [type, found] : kinds) {
    const hid_t row = row_of("a", type);
    made_by(array(row, {2}, row, zeros.data()));
    expect_refused(read_table, "column a of x", found);
  }
  const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  made_by(array(row_of("a", H5T_STD_U64LE), {1}, row_of("a", H5T_NATIVE_UINT64), &largest));
  expect_refused(read_table, "column a of x", "18446744073709551615");
  const hid_t row = row_of("a", H5T_NATIVE_INT32);
  made_by(array(row, {1, 1}, row, zeros.data()));
  expect_refused(read_table, "x", "2 dimensions");
}

TEST_F(Hdf5StrangersTest, attributes_are_single_things_of_their_kind) {
  const auto attribute = [](hid_t type, hid_t space, hid_t memory, const void* value) -> Make {
    return [=](hid_t file) {
      const hid_t id = H5Acreate2(file, "a", type, space, H5P_DEFAULT, H5P_DEFAULT);
      EXPECT_GE(id, 0);
      if (value != nullptr) H5Awrite(id, memory, value);
      H5Aclose(id);
    };
  };
  const auto integer = [](const Hdf5Reader& r) { return r.read_integer_attribute("/", "a"); };
  const auto real = [](const Hdf5Reader& r) { return r.read_real_attribute("/", "a"); };
  const auto text = [](const Hdf5Reader& r) { return r.read_text_attribute("/", "a"); };
  const std::array<double, 2> values = {7, 8};
  const hid_t one = H5Screate(H5S_SCALAR);
  for (const hid_t type : {H5T_STD_U8LE, H5T_STD_I16BE, H5T_STD_U64LE}) {
    made_by(attribute(type, one, H5T_NATIVE_DOUBLE, values.data()));
    EXPECT_EQ(integer(Hdf5Reader(path_)), 7);
    EXPECT_EQ(real(Hdf5Reader(path_)), 7.0);
    expect_refused(text, "attribute a of /", "expected a text");
  }
  const hid_t wide = H5Tcopy(H5T_STD_I64LE);
  H5Tset_size(wide, 16);
  made_by(attribute(wide, one, H5T_NATIVE_DOUBLE, values.data()));
  expect_refused(integer, "attribute a of /", "whole numbers of 128 bits");
  made_by(attribute(H5T_IEEE_F32LE, one, H5T_NATIVE_DOUBLE, values.data()));
  expect_refused(integer, "attribute a of /", "expected a whole number");
  made_by(attribute(H5T_IEEE_F64LE, space_of({2}), H5T_NATIVE_DOUBLE, values.data()));
  expect_refused(real, "attribute a of /", "holds 2 values");
  made_by(attribute(H5T_IEEE_F64LE, H5Screate(H5S_NULL), 0, nullptr));
  expect_refused(real, "attribute a of /", "holds 0 values");
  const std::uint64_t largest = std::numeric_limits<std::uint64_t>::max();
  made_by(attribute(H5T_STD_U64LE, one, H5T_NATIVE_UINT64, &largest));
  expect_refused(integer, "attribute a of /", "18446744073709551615");
  const hid_t row = row_of("b", H5T_NATIVE_DOUBLE);
  made_by(attribute(row, one, row, values.data()));
  expect_refused(integer, "attribute a of /", "records");
  expect_refused(text, "attribute a of /", "records");
  expect_refused([](const Hdf5Reader& r) { (void)r.read_text_attribute("none", "a"); }, "none",
                 "there is no attribute");
}

}  // namespace
}  // namespace fleet
