// Pictures of an environment, drawn off screen, with or without a graphics card.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "simulation/suite.hpp"

namespace fleet::simulation {

struct Picture {
  int width = 0;
  int height = 0;
  std::vector<std::uint8_t> rgb;  ///< row by row from the top
};

/// Draws environments of one model, which should be Suite::Detail::kVisual.
class Renderer {
 public:
  /// Of environments with the model that this one has now. Error saying what to install when there is no off-screen
  /// OpenGL, or if the world has nothing to be drawn.
  Renderer(Environment& environment, const Camera& camera, int width, int height);
  Renderer(const Renderer&) = delete;
  Renderer& operator=(const Renderer&) = delete;
  ~Renderer();

  /// The picture is overwritten by the next.
  [[nodiscard]] const Picture& draw(Environment& environment);

 private:
  struct Context;
  std::unique_ptr<Context> context_;
  Picture picture_;
};

}  // namespace fleet::simulation
