// Experts that carry or shove a loose object to a place.
#include "metaworld/expert_stages.hpp"

namespace fleet::metaworld::experts {

Move reach(const View& view) {
  return {view.goal, 5, 0};
}

Move reach_wall(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const bool at_wall = -0.1 <= h.x() && h.x() <= 0.3 && 0.6 <= h.y() && h.y() <= 0.8 && h.z() < 0.25;
  return {at_wall ? up(g, 1) : g, 5, 0};
}

Move push(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 puck = o + Vec3(-0.005, 0, 0);
  const double grip = away(h, o, 0.02, 0.1) ? 0 : 0.6;
  if (apart(h, puck) > 0.02) return {up(puck, 0.2), 10, grip};
  if (rise(h, puck) > 0.04) return {up(puck, 0.03), 10, grip};
  return {g, 10, grip};
}

Move push_wall(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 puck = o + Vec3(-0.005, 0, 0);
  const double grip = away(h, o, 0.02, 0.1) ? 0 : 0.6;
  const double x = puck.x();
  const double y = puck.y();
  if (apart(h, puck) > 0.02) return {up(puck, 0.2), 10, grip};
  if (rise(h, puck) > 0.04) return {up(puck, 0.03), 10, grip};
  // Around the wall: first along it, then past it.
  if (-0.1 <= x && x <= 0.3 && 0.65 <= y && y <= 0.75) return {h + Vec3(-1, 0, 0), 10, grip};
  const bool beside = (-0.15 < x && x < 0.05) || (0.15 < x && x < 0.35);
  if (beside && 0.695 <= y && y <= 0.755) return {h + Vec3(0, 1, 0), 10, grip};
  return {g, 10, grip};
}

Move push_back(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const double grip = away(h, o, 0.04, 0.05) ? 0 : 0.9;
  if (apart(h, o) > 0.04) return {up(o, 0.3), 10, grip};
  if (rise(h, o) > 0.055) return {o, 10, grip};
  return {up(g, h.z()), 10, grip};
}

Move pick_place(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 puck = o + Vec3(-0.005, 0, 0);
  const double grip = (h - o).norm() < 0.07 ? 1 : 0;
  if (apart(h, puck) > 0.02) return {up(puck, 0.1), 10, grip};
  if (rise(h, puck) > 0.05 && puck.z() < 0.04) return {up(puck, 0.03), 10, grip};
  if (opening > 0.73) return {h, 10, grip};  // wait for the fingers
  return {g, 10, grip};
}

Move pick_place_wall(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 puck = o + Vec3(-0.005, 0, 0);
  const double grip = away(h, o, 0.015, 0.1) ? 0 : 0.9;
  if (apart(h, puck) > 0.015) return {up(puck, 0.1), 10, grip};
  if (rise(h, puck) > 0.04 && puck.z() < 0.03) return {up(puck, 0.03), 10, grip};
  const bool at_wall = -0.15 <= h.x() && h.x() <= 0.35 && 0.6 <= h.y() && h.y() <= 0.8;
  if (at_wall && h.z() < 0.25) return {up(h, 1), 10, grip};
  if (at_wall && h.z() < 0.35) return {{g.x(), g.y(), h.z()}, 10, grip};
  if (rise(h, g) > 0.01) return {{h.x(), h.y(), g.z()}, 10, grip};
  return {g, 10, grip};
}

Move pick_out_of_hole(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 puck = up(o, 0.02);
  const double grip = away(h, puck, 0.02, 0.15) ? 0 : 0.1;
  if (apart(h, puck) > 0.02) return {up(puck, 0.15), 25, grip};
  if (rise(h, puck) > 0.01) return {puck, 25, grip};
  if (rise(h, g) > 0.04) return {{h.x(), h.y(), g.z()}, 25, grip};
  return {g, 25, grip};
}

Move shelf_place(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 block = o + Vec3(-0.005, 0, 0.015);
  const double grip = away(h, o, 0.04, 0.15) ? -1 : 0.7;
  if (apart(h, block) > 0.04) return {up(block, 0.3), 25, grip};
  if (rise(h, block) > 0.04) return {block, 25, grip};
  if (std::abs(h.x() - g.x()) > 0.02) return {{g.x(), h.y(), 0.3}, 25, grip};
  if (h.z() < 0.3) return {up(h, 0.3), 25, grip};
  return {h + Vec3(0, 0.05, 0), 25, grip};
}

Move sweep_into(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 cube = o + Vec3(-0.005, 0, 0.01);
  const double grip = away(h, o, 0.04, 0.15) ? -1 : 0.7;
  if (apart(h, cube) > 0.04) return {up(cube, 0.3), 25, grip};
  if (rise(h, cube) > 0.04) return {cube, 25, grip};
  return {g, 25, grip};
}

Move sweep(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 cube = up(o, 0.015);
  const double grip = away(h, o, 0.04, 0.15) || o.x() >= 0.4 ? -1 : 0.7;
  if (h.x() < 0.2 && apart(h, cube) > 0.04) return {up(cube, 0.3), 25, grip};
  if (h.x() < 0.2 && rise(h, cube) > 0.04) return {cube, 25, grip};
  return {up(g, 0.1), 25, grip};
}

Move bin_picking(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 cube(o.x(), std::clamp(o.y(), 0.675, 0.725), o.z() + 0.03);
  const Vec3 bin(0.12, 0.7, 0.02);
  const double grip = away(h, cube, 0.02, 0.02) ? -1 : 0.6;
  if (apart(h, cube) > 0.02) return {up(cube, 0.15), 25, grip};
  if (rise(h, cube) > 0.01) return {cube, 25, grip};
  if (apart(h, bin) <= 0.02) return {bin, 25, grip};
  return {h.z() < 0.15 ? up(h, 0.1) : Vec3(bin.x(), bin.y(), 0.18), 25, grip};
}

Move box_close(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 lid = up(o, 0.02);
  const Vec3 box(g.x(), g.y(), 0.15);
  const double grip = away(h, lid, 0.01, 0.13) ? 0.5 : 1;
  if (apart(h, lid) > 0.01) return {{lid.x(), lid.y(), 0.2}, 25, grip};
  if (rise(h, lid) > 0.05) return {lid, 25, grip};
  if (rise(h, box) > 0.04) return {{h.x(), h.y(), box.z()}, 25, grip};
  return {box, 25, grip};
}

Move basketball(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 ball = up(o, 0.01);
  const Vec3 hoop(g.x(), 0.875, 0.35);
  const double grip = away(h, o, 0.04, 0.15) ? -1 : 0.6;
  if (apart(h, ball) > 0.04) return {up(ball, 0.3), 25, grip};
  if (rise(h, ball) > 0.025) return {ball, 25, grip};
  if (rise(ball, hoop) > 0.025) return {{h.x(), h.y(), hoop.z()}, 25, grip};
  return {hoop, 25, grip};
}

Move soccer(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 ball = up(o, 0.03);
  Vec3 behind = ball + Vec3(0, -0.03, 0);
  if (ball.x() - g.x() < -0.05) behind = ball + Vec3(-0.03, 0, 0);
  if (ball.x() - g.x() > 0.05) behind = ball + Vec3(0.03, 0, 0);
  behind.z() = apart(h, ball) < 0.02 ? 0.1 : 0.03;
  return {(h - behind).norm() > 0.01 ? behind : ball, 25, 1};
}

Move plate_slide(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 edge = o + Vec3(0, -0.055, 0.03);
  if (!(apart(h, edge) <= 0.03)) return {up(edge, 0.1), 10, -1};
  if (rise(h, edge) > 0.04) return {edge, 10, -1};
  return {{g.x(), 0.9, edge.z()}, 10, -1};
}

Move plate_slide_side(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 edge = o + Vec3(0.07, 0, -0.005);
  if (apart(h, edge) > 0.04) return {up(edge, 0.1), 25, 1};
  if (rise(h, edge) > 0.04) return {edge, 25, 1};
  if (h.x() > -0.2) return {{h.x() - 0.1, 0.6, h.z()}, 25, 1};
  return {edge + Vec3(-0.1, 0, 0), 25, 1};
}

Move plate_slide_back(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 edge = o + Vec3(0, -0.065, 0.025);
  if (apart(h, edge) > 0.01) return {up(edge, 0.1), 10, -1};
  if (rise(h, edge) > 0.04) return {edge, 10, -1};
  if (h.y() > 0.7) return {h + Vec3(0, -0.1, 0), 10, -1};
  if (h.y() > 0.6) return {{0.15, 0.55, h.z()}, 10, -1};
  return {{h.x() - 0.1, 0.55, h.z()}, 10, -1};
}

Move plate_slide_back_side(const View& view) {
  const auto& [h, o, o2, g, opening] = view;
  const Vec3 edge = o + Vec3(0.023, 0, 0.025);
  if (apart(h, edge) > 0.01) return {up(edge, 0.07), 10, 1};
  if (rise(h, edge) > 0.04) return {edge, 10, 1};
  return {{h.x() + 0.1, 0.6, h.z()}, 10, 1};
}

}  // namespace fleet::metaworld::experts
