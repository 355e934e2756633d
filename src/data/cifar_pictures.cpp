#include "data/cifar_pictures.hpp"

#include <fstream>
#include <sstream>

#include "base/error.hpp"
#include "data/cifar.hpp"
#include "io/json.hpp"

#ifdef FLEET_PNG
#include <png.h>
#endif

namespace fleet {
namespace {

namespace fs = std::filesystem;

struct Picture {
  std::size_t width = 0;
  std::size_t height = 0;
  std::vector<std::uint8_t> pixels;  // red, green, blue of each
};

#ifdef FLEET_PNG
Picture read_picture(const fs::path& path) {
  png_image image{};
  image.version = PNG_IMAGE_VERSION;
  Picture picture;
  if (png_image_begin_read_from_file(&image, path.c_str()) != 0) {
    image.format = PNG_FORMAT_RGB;
    picture.pixels.resize(PNG_IMAGE_SIZE(image));
    png_image_finish_read(&image, nullptr, picture.pixels.data(), 0, nullptr);
  }
  const std::string complaint = PNG_IMAGE_FAILED(image) ? image.message : "";
  png_image_free(&image);
  require(complaint.empty(), path.string(), ": cannot be read as a PNG: ", complaint);
  picture.width = image.width;
  picture.height = image.height;
  return picture;
}
#else
Picture read_picture(const fs::path& path) {
  throw Error(cat(path.string(), ": this program was built without libpng, and cannot read it"));
}
#endif

}  // namespace

bool reads_pictures() {
#ifdef FLEET_PNG
  return true;
#else
  return false;
#endif
}

std::vector<std::uint8_t> read_label_list(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  require(file.good(), path.string(), ": cannot be opened");
  std::ostringstream text;
  text << file.rdbuf();
  const Json list = parse_json(text.str(), path.string());
  require(list.is_array(), path.string(), ": expected a list of labels");
  std::vector<std::uint8_t> labels;
  for (const Json& label : list) {
    require(label.is_number_unsigned() && label.get<std::uint64_t>() <= 255, path.string(), ": label ", labels.size(),
            " is ", label.dump(), ", expected a number from 0 to 255");
    labels.push_back(label.get<std::uint8_t>());
  }
  return labels;
}

void write_cifar_batch(const fs::path& picture, std::span<const std::uint8_t> labels, const fs::path& into) {
  constexpr std::size_t kPlane = std::size_t{kCifarSide} * kCifarSide;
  const Picture batch = read_picture(picture);
  require(batch.width == kPlane && batch.height == labels.size(), picture.string(), ": is ", batch.width, " x ",
          batch.height, " pixels, expected ", kPlane, " x ", labels.size(), ", a row for each label");
  std::string records;
  records.reserve(labels.size() * (1 + kCifarPixels));
  const std::uint8_t* image = batch.pixels.data();
  for (const std::uint8_t label : labels) {
    records += static_cast<char>(label);
    for (std::size_t plane = 0; plane < kCifarPlanes; ++plane) {
      for (std::size_t pixel = 0; pixel < kPlane; ++pixel) {
        records += static_cast<char>(image[pixel * kCifarPlanes + plane]);
      }
    }
    image += kCifarPixels;
  }
  std::ofstream file(into, std::ios::binary);
  file << records;
  file.close();
  require(file.good(), into.string(), ": cannot be written");
}

}  // namespace fleet
