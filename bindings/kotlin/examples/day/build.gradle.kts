// Models of a rep's and a technician's screens, for any JVM: they know of no platform.
plugins {
    `java-library`
    alias(libs.plugins.kotlin.jvm)
}

kotlin {
    explicitApi()
    jvmToolchain(17)
}

dependencies {
    api(project(":outrider"))
    testImplementation(libs.junit)
    testImplementation(kotlin("test-junit"))
}
