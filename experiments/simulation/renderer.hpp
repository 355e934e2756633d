// Pictures of an environment, drawn off screen, with or without a graphics card.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "simulation/suite.hpp"

namespace fleet::simulation {

struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  ///< row by row from the top
};

/// Names what draws here, with its version: pixels depend on it. Error as of Renderer.
[[nodiscard]] std::string drawing_device();

/// Draws environments of one model, which should be Suite::Detail::kVisual. There may be several at once.
class Renderer {
 public:
  enum class Quality {
    kFilm,   ///< for people
    kPlain,  ///< without shadows, reflections and smooth edges, which take software most of its time
  };
  /// Of environments with the model that this one has now. Error saying what to install when there is no off-screen
  /// OpenGL, or if the world has nothing to be drawn.
  Renderer(Environment& environment, const Camera& camera, int width, int height, Quality quality = Quality::kFilm);
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;
  ~Renderer();

  /// Places bodies, cameras and lights where the state says, which an engine does only in a step. To be called when an
  /// episode has begun, before it is drawn; its course stays the same.
  static void place(Environment& environment);
  /// The picture is overwritten by the next.
  [[nodiscard]] const Picture& draw(Environment& environment);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  Picture picture_;
};

}  // namespace fleet::simulation
