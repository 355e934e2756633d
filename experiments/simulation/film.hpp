// Pictures on disk: numbered PNG files, or one film that ffmpeg makes of them.
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "io/subprocess.hpp"
#include "simulation/renderer.hpp"
#include "simulation/suite.hpp"

namespace fleet::simulation {

/// ConfigError unless the picture is to be made, or is one of this program's; or if its name does not end in .png.
void require_own_picture(const std::filesystem::path& path);
/// A PNG picture that names its maker. Error if it cannot be written.
void write_picture(const std::filesystem::path& path, const Picture& picture, const Facts& facts);

class Film {
 public:
  /// Of a world. A folder, or a film if the name ends in .mp4. ConfigError if there is a film, or anything in the
  /// folder, that this program has not made. Error if it cannot be made, or if ffmpeg is needed and not installed.
  Film(std::filesystem::path path, const Facts& facts);

  void add(const Picture& picture);
  /// Makes the film; to be called once, at the end.
  void finish();
  [[nodiscard]] int pictures() const { return pictures_; }

 private:
  std::filesystem::path path_;
  std::string maker_;
  int pictures_per_second_;
  std::unique_ptr<ScratchDirectory> scratch_;  // of a film
  std::filesystem::path folder_;
  int pictures_ = 0;
};

}  // namespace fleet::simulation
