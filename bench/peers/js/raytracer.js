// A scene of spheres over a plane, with shadows and reflections; vectors are objects.
class Vec {
  constructor(x, y, z) { this.x = x; this.y = y; this.z = z; }
  add(o) { return new Vec(this.x + o.x, this.y + o.y, this.z + o.z); }
  sub(o) { return new Vec(this.x - o.x, this.y - o.y, this.z - o.z); }
  scale(k) { return new Vec(this.x * k, this.y * k, this.z * k); }
  dot(o) { return this.x * o.x + this.y * o.y + this.z * o.z; }
  unit() { return this.scale(1 / Math.sqrt(this.dot(this))); }
  reflect(normal) { return this.sub(normal.scale(2 * this.dot(normal))); }
}

class Sphere {
  constructor(center, radius, color, mirror) {
    this.center = center;
    this.radius = radius;
    this.color = color;
    this.mirror = mirror;
  }
  hit(origin, direction) {
    const to = this.center.sub(origin);
    const along = to.dot(direction);
    const inside = this.radius * this.radius - to.dot(to) + along * along;
    if (inside < 0) return null;
    const distance = along - Math.sqrt(inside);
    return distance > 0.0001 ? distance : null;
  }
  normal(point) { return point.sub(this.center).scale(1 / this.radius); }
  colorAt() { return this.color; }
}

class Floor {
  mirror = 0.2;
  light = new Vec(0.9, 0.9, 0.9);
  dark = new Vec(0.2, 0.2, 0.3);
  up = new Vec(0.0, 1.0, 0.0);
  hit(origin, direction) {
    if (direction.y > -0.0001) return null;
    return -(origin.y + 1.0) / direction.y;
  }
  normal() { return this.up; }
  colorAt(point) {
    return (Math.floor(point.x) + Math.floor(point.z)) % 2 === 0 ? this.light : this.dark;
  }
}

class Scene {
  things = [];
  sun = new Vec(-0.5, 0.8, -0.6).unit();
  sky = new Vec(0.4, 0.6, 0.9);
  nearest(origin, direction) {
    let found = null;
    let distance = Infinity;
    for (const thing of this.things) {
      const d = thing.hit(origin, direction);
      if (d !== null && d < distance) {
        found = thing;
        distance = d;
      }
    }
    return [found, distance];
  }
  trace(origin, direction, depth) {
    const [thing, distance] = this.nearest(origin, direction);
    if (thing === null) return this.sky;
    const point = origin.add(direction.scale(distance));
    const normal = thing.normal(point);
    let shade = normal.dot(this.sun);
    if (shade < 0) shade = 0;
    if (shade > 0 && this.nearest(point.add(normal.scale(0.001)), this.sun)[0] !== null) shade = 0;
    const color = thing.colorAt(point).scale(0.2 + 0.8 * shade);
    if (depth === 0 || thing.mirror === 0) return color;
    const seen = this.trace(point.add(normal.scale(0.001)), direction.reflect(normal), depth - 1);
    return color.scale(1 - thing.mirror).add(seen.scale(thing.mirror));
  }
}

function render(scene, size) {
  const eye = new Vec(0.0, 0.5, -4.0);
  let total = 0;
  for (let row = 0; row < size; row++) {
    for (let column = 0; column < size; column++) {
      const direction = new Vec(column / size - 0.5, 0.5 - row / size, 1.0).unit();
      const color = scene.trace(eye, direction, 3);
      total += Math.floor(color.x * 255) + Math.floor(color.y * 255) * 3;
      total += Math.floor(color.z * 255) * 7;
    }
  }
  return total;
}

const scene = new Scene();
scene.things.push(new Floor());
scene.things.push(new Sphere(new Vec(0.0, 0.0, 0.0), 1.0, new Vec(0.9, 0.2, 0.2), 0.3));
scene.things.push(new Sphere(new Vec(1.5, -0.4, -0.8), 0.6, new Vec(0.2, 0.9, 0.3), 0.5));
scene.things.push(new Sphere(new Vec(-1.6, -0.3, 0.5), 0.7, new Vec(0.2, 0.3, 0.9), 0.0));
scene.things.push(new Sphere(new Vec(-0.4, -0.7, -1.4), 0.3, new Vec(0.9, 0.9, 0.2), 0.1));
console.log(`raytracer ${render(scene, 240)}`);
