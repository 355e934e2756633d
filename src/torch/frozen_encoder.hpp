// An image network that is never trained, in TorchScript: what policies see pictures through.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

namespace fleet {

class FrozenEncoder {
 public:
  /// Reads a module that makes of (pictures, 3, height, width), red, green and blue from 0 to 1, (pictures, features);
  /// it is tried on black ones. Error naming the file if it is none, takes no such pictures, or gives something else.
  FrozenEncoder(const std::filesystem::path& file, int pictures, int height, int width);
  FrozenEncoder(const FrozenEncoder&) = delete;
  FrozenEncoder& operator=(const FrozenEncoder&) = delete;
  ~FrozenEncoder();

  [[nodiscard]] std::size_t features() const { return features_; }
  /// Of the file's bytes: sixteen hexadecimal digits.
  [[nodiscard]] const std::string& digest() const { return digest_; }

  /// `rgb`: as many pictures, each row by row from the top, three bytes a pixel. `into`: features() numbers each. Error
  /// if a feature is not finite.
  void encode(std::span<const std::uint8_t> rgb, std::span<float> into) const;

 private:
  struct Module;
  std::filesystem::path file_;
  int height_;
  int width_;
  std::string digest_;
  std::unique_ptr<Module> module_;
  std::size_t features_ = 0;
};

}  // namespace fleet
